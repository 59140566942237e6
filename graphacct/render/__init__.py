"""What a report looks like: one output a file (the picture a folder), each imported only when it is asked for."""
