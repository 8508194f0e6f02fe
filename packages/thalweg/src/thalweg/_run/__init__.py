"""Running a method: the driver and its compiled loop, several starts, checkpoints, progress."""
