"""The tensors of a checkpoint's files against those of a model."""
