"""A module runs, and what it calls, saves and frees is recorded."""
