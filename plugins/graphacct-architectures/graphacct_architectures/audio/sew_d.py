"""SEW-D: SEW whose layers have scores of distances, as DeBERTa's have.

Wu et al., 2021 (arXiv:2109.06870).
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from graphacct import ConfigError, Dim, PresetFiles, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.description import Waves
from graphacct_architectures.audio.parts.family import LETTERS, SEQUENCE, known, waves
from graphacct_architectures.audio.sew import SEWConfig
from graphacct_architectures.audio.sew import describe as of_sew
from graphacct_architectures.encoders.deberta_v2 import kinds, whole, word
from graphacct_architectures.encoders.parts.description import Disentangled, Encoder, Names


@frozen(kw_only=True)
class SEWDConfig(SEWConfig):
    """The keys of the published config.json that the cost depends on."""

    MODULE: ClassVar[str] = "sew_d"

    architectures: str = known("SEWD", (LETTERS, SEQUENCE))
    hidden_act: str = activation("gelu_python")
    max_position_embeddings: Dim = fields.size(512)
    max_relative_positions: int = whole(-1)
    position_buckets: int = whole(256)
    share_att_key: bool = fields.flag(True)
    relative_attention: bool = fields.flag(True)
    pos_att_type: tuple[str, ...] = kinds(("p2c", "c2p"))
    norm_rel_ebd: str = word("layer_norm")

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        if self.use_weighted_layer_sum:
            raise ConfigError("use_weighted_layer_sum is true: the class hands on no layers, of which it adds all")


def describe(config: SEWDConfig) -> Waves:
    """Returns the encoder. The layers' own dropout is that of the network."""
    d_head = exact_div(config.hidden_size, config.num_attention_heads, "hidden_size / num_attention_heads")
    shared = config.share_att_key
    farthest = config.max_position_embeddings if config.max_relative_positions < 1 else config.max_relative_positions
    normed = "layer_norm" in [part.strip() for part in config.norm_rel_ebd.lower().split("|")]
    attention = Disentangled(
        d_head,
        config.pos_att_type,
        config.position_buckets if config.position_buckets > 0 else farthest,
        shared=shared,
        key="key_proj" if shared else "pos_key_proj",
        query="query_proj" if shared else "pos_query_proj",
        table="rel_embeddings" if config.relative_attention else "",
        table_norm="LayerNorm" if normed else "",
    )
    layers = Encoder(
        0,
        config.hidden_size,
        config.intermediate_size,
        config.num_attention_heads,
        config.num_hidden_layers,
        ACTIVATIONS[config.hidden_act],
        module="",
        positions=0,
        usable=0,
        counted=False,
        token_types=0,
        embedding_width=config.hidden_size,
        causal=False,
        names=Names(),
        dropout=config.activation_dropout,
        attention_dropout=config.attention_dropout,
        disentangled=attention,
        written_out=True,
    )
    return attrs.evolve(of_sew(config), disentangled=layers)


ARCHITECTURE = waves(
    "sew-d",
    SEWDConfig,
    describe,
    PresetFiles(__file__),
    doc="SEW-D: SEW whose layers have scores of distances.",
    no_cost=dict.fromkeys(("layerdrop", "initializer_range", "feature_layer_norm_eps")),
)
