"""Compares the tensors in a checkpoint's files with a model's."""
