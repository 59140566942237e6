"""Rolling up: rows, totals, and the report of a forward pass or a training step."""
