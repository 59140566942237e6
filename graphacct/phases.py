"""The phases that a model runs in, declared once."""

FORWARD, TRAIN, PREFILL, DECODE = "forward", "train", "prefill", "decode"
PHASES = (FORWARD, TRAIN, PREFILL, DECODE)
"""A forward pass alone, a training step, a prompt that fills a cache, one new token on a cache: each is one graph."""
CACHING = (PREFILL, DECODE)
"""The phases that leave keys and values in a cache."""
GENERATE = "generate"
"""A prompt and all its new tokens: a prefill and decoding steps, each with a graph of its own."""
GENERATION_SIZES = ("prompt_len", "new_tokens")
"""The sizes of a generation, in place of those of a single step."""
