"""Networks fitted to examples, and what their front ends share.

`Examples` holds rows with their weights and fits a network to them, `search` chooses the weight
decay by a validation part, `forward` predicts in NumPy, and `laplace` says how certain that is.
Tables on the command line and the estimators for scikit-learn both stand on these.
"""
