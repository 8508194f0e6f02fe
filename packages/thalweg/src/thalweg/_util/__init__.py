"""Small things without mathematics: files, machine, threads, medians, JSON."""
