"""Thalweg beside its peers on problems of nonlinear least squares with known answers."""
