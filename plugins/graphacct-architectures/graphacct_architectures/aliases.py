"""Spellings of configuration keys from older files, which every family of the transformers library reads."""

ALIASES = {"torch_dtype": "dtype", "rope_scaling": "rope_parameters", "id2label": "num_labels"}
GPT2 = {
    "hidden_size": "n_embd",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
    "max_position_embeddings": "n_positions",
}
"""The library's common spellings of GPT-2's keys, which several families have."""
