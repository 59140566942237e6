"""Spatial operators: normalization over the batch, pooling, interpolation, sampling, shuffling, padding, patches."""
