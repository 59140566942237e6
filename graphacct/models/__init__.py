"""From what a user calls a model to its graph."""
