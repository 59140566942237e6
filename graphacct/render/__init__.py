"""What a report looks like: one output a file, each imported only when it is asked for."""
