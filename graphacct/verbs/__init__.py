"""The verbs that a user calls, one a file. Only they default to the installed plugins."""
