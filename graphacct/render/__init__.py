"""What a report looks like: one file per output (a folder for the picture), each imported on first use."""
