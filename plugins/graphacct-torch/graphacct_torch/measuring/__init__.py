"""What torch says of a class or a function, for what compares graphacct with it."""
