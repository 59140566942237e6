"""A module without memory for its weights: built so, and run on fake tensors in place of its own."""
