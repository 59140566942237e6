"""The contract with plugins: hooks, the manager, entry points, and tables of what is registered."""
