"""What a training step adds: gradients, optimizers, ZeRO, what is frozen and recomputed."""
