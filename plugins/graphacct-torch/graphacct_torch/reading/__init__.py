"""From what a user gives (a module, a config.json, inputs) to a graph."""
