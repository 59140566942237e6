"""Closed formulas: sizes that record what is computed of them, and the ways in which the result is written."""
