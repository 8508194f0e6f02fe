"""Small things without mathematics: files, machine, threads, JSON."""
