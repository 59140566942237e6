"""The architectures that come with graphacct, one family a file; each registers through the hooks."""
