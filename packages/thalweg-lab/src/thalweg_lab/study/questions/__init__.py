"""The five questions of the study `revisited`, one a file; each makes an `Answer` of runs."""
