"""Spellings of configuration keys from older files, which every family of the transformers library reads."""

ALIASES = {"torch_dtype": "dtype", "rope_scaling": "rope_parameters", "id2label": "num_labels"}
