"""The laboratory of thalweg: problems, the benchmark, studies, the demo, and their pages.

It is a distribution of its own, so that `thalweg` brings only what a user's own work needs. Its
commands join `thalweg` by entry points.
"""

__version__ = "0.2.0"
