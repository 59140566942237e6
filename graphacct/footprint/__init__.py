"""Memory: what is alive when, the peak, and whether it fits."""
