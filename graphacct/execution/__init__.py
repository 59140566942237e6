"""Which kernels a graph runs as, and what those save for the backward pass."""
