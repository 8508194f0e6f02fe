"""The benchmark: thalweg and what people use instead, on the same problems from the same starts.

    suite       which problems, how long, from how many starts, how far down
    peers       which methods of other libraries, with the settings that are tried
    plan        the runs: a first step each, the search for each peer's best setting, the race
    running     makes those that are missing
    ladder      the losses on the way down, and how long each method took to each
    goals       what thalweg means to reach, and how far it is from that
    results     all of it as tables, from the runs alone

The runs are those of `thalweg_lab.study`: one at a time, in one process, each with its record.
"""
