"""From a model to its closed formulas: which sizes are symbols, the traced report, and the formulas in it."""
