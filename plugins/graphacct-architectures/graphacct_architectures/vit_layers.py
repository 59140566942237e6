"""The layers of a ViT under the transformers library's names, today's and the former ones.

Dosovitskiy et al., 2020 (arXiv:2010.11929).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Dim
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.tower import Tower


def vit_layers(config: Any, count: Dim | None = None, hidden: Dim | None = None, **rest: Any) -> Tower:
    """Returns the layers that a configuration's keys describe; `count` is how many and `hidden` the network's width if
    no key states them, and `rest` holds the differences."""
    width = config.intermediate_size if hidden is None else hidden
    common: dict[str, Any] = {
        "layers": config.num_hidden_layers if count is None else count,
        "heads": config.num_attention_heads,
        "mlp": Mlp(width, ACTIVATIONS[config.hidden_act], gated=False, up="fc1", down="fc2", bias=True),
        "stack": "layers",
        "attention": "attention",
        "out": "o_proj",
        "norms": ("layernorm_before", "layernorm_after"),
        "bias": config.qkv_bias,
        "attention_dropout": config.attention_probs_dropout_prob,
        "dropout": config.hidden_dropout_prob,
        "d_head": getattr(config, "head_dim", None),  # not every class has the key
    }
    return Tower(**{**common, **rest})


def older_vit_layers(config: Any, count: Dim | None = None, hidden: Dim | None = None) -> Tower:
    """Returns the same layers under the former names, with written-out softmax in their own dtype."""
    return older(vit_layers(config, count, hidden, stack="layer", softmax_upcast=False), "attention")


def older(t: Tower, inner: str) -> Tower:
    """Returns the stack under the library's former names: a module `inner` of attention with query, key and value, an
    output module of attention, and two modules of the feed-forward network that are the layer's own."""
    network = attrs.evolve(t.mlp, module="", up="intermediate.dense", down="output.dense")
    return attrs.evolve(t, mlp=network, inner=inner, qkv=("query", "key", "value"), out="output.dense")
