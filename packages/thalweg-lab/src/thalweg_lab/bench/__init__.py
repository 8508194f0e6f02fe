"""The benchmark: thalweg and its peers on the same problems from the same starts.

    suite       problems, budgets, numbers of starts, and losses at which runs end
    peers       methods of other libraries, and the settings that are tried for each
    plan        the runs: a first step each, the search for each peer's best setting, the race
    running     makes the runs that are missing
    targets     the losses to be reached, and the time of each method to each of them
    new_process the time to a target in a new process, compilation included
    goals       what thalweg aims for, and how far it is from that
    results     the tables, computed from the runs alone

The runs are those of `thalweg_lab.study`: one at a time, in one process, each with its record;
only `new_process` starts a process for each.
"""
