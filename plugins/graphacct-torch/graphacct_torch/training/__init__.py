"""A training step of a module: its loss, its calls under the names of the graph, what runs again."""
