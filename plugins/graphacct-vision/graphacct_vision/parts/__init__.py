"""What several rooms share: layers, keys of configurations, windows, grids, backbones inside other models."""
