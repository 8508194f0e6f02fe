"""Fits of a model to measured data: `curve_fit` and `curve_fit_many`."""
