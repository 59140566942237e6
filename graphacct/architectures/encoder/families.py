"""What families of encoders share: BERT's keys, the classes of each family, and the Architecture around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from graphacct.architecture import Architecture, Workload
from graphacct.architectures.decoder.families import ALIASES, activation, dtype
from graphacct.architectures.encoder import Encoder, encode
from graphacct.builder import Builder
from graphacct.config import flag, probability, size
from graphacct.dims import Dim
from graphacct.errors import ConfigError
from graphacct.graph import Value


@attrs.frozen(kw_only=True)
class EncoderConfig:
    """The keys that BERT and its kin have, with the defaults of BERT's class."""

    vocab_size: Dim = size(30522)
    hidden_size: Dim = size(768)
    num_hidden_layers: Dim = size(12)
    num_attention_heads: Dim = size(12)
    intermediate_size: Dim = size(3072)
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = probability(0.1)
    attention_probs_dropout_prob: float = probability(0.1)
    max_position_embeddings: Dim = size(512)
    type_vocab_size: Dim = size(2)
    tie_word_embeddings: bool = flag(True)
    dtype: str | None = dtype()


def encoder(
    name: str,
    config: type[Any],
    describe: Callable[[Any], Encoder],
    presets: Mapping[str, Any],
    *,
    doc: str,
    aliases: Mapping[str, str] | None = None,
) -> Architecture:
    """The Architecture of a family of encoders: `describe` gives a configuration's description."""

    def build(config: Any, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
        described = describe(config)
        logits = described.head is not None and type(described.head.outputs) is int and described.head.outputs > 1
        if workload.phase == "train" and workload.loss == "cross_entropy" and not logits:
            raise ConfigError(
                f"{config.architectures} has no logits of a vocabulary: its loss is the sum of its outputs"
            )
        return encode(described, workload, b)

    return Architecture(
        name,
        config,
        build,
        presets,
        sizes={"seq_len": lambda config: describe(config).usable},
        attention=("fused", "eager"),
        dtype="float32",
        aliases={**ALIASES, **(aliases or {})},
        model_types=(name,),
        doc=doc,
    )
