"""What a family says of its decoder: plain values, a file for each part."""
