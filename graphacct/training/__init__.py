"""What a training step adds: gradients, optimizers, ZeRO, freezing and recomputation."""
