"""Thalweg's own methods, one a file, and the parts that several of them share."""
