"""A cost for every node: annotation, conventions, quantities, coverage."""
