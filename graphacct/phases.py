"""The phases that a model runs in, declared once."""

FORWARD, TRAIN, PREFILL, DECODE = "forward", "train", "prefill", "decode"
PHASES = (FORWARD, TRAIN, PREFILL, DECODE)
"""A forward pass alone, a training step, a prompt that fills a cache, one new token on a cache."""
CACHING = (PREFILL, DECODE)
"""The phases that leave keys and values in a cache."""
