"""Models: from the name, path or object that a user gives to its graph."""
