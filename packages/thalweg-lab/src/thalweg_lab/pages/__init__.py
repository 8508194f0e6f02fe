"""One HTML page for a set of runs: charts, tables and plain words, with no outside request.

The page holds its style, its script and its charts, so it can be mailed, printed and read on a
train. Charts are SVG drawn here; each has a text alternative and its numbers as a table.
"""

from __future__ import annotations

from thalweg_lab.pages.runs_page import Report, Section, render

__all__ = ["Report", "Section", "render"]
