"""Input formats, one a file."""
