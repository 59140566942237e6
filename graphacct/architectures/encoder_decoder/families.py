"""What families with an encoder share: the class that a file names, and the Architecture around a description."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from graphacct.architectures.classifier import EOS, Classifier
from graphacct.architectures.decoder.families import ALIASES
from graphacct.architectures.encoder_decoder import EncoderDecoder, run
from graphacct.dims import Dim
from graphacct.errors import ConfigError
from graphacct.graph.builder import Builder
from graphacct.graph.graph import Value
from graphacct.models.architecture import Architecture, Workload, own_loss
from graphacct.models.config import LABELS


def of_text(width: Dim, labels: Dim, dropout: float) -> Classifier:
    """Logits of classes of a text, from the decoder's output where the text ends, through two projections."""
    return Classifier(
        "classification_head.out_proj",
        labels,
        EOS,
        dense="classification_head.dense",
        width=width,
        activation="tanh",
        early_dropout=dropout,
        dropout=dropout,
    )


def encoder_decoder(
    name: str,
    config: type[Any],
    describe: Callable[[Any], EncoderDecoder],
    presets: Mapping[str, Any],
    *,
    doc: str,
    context: Callable[[Any], Dim],
    aliases: Mapping[str, str] | None = None,
    encoder_seq_len: bool = True,
) -> Architecture:
    """The Architecture of a family: `describe` gives a configuration's description, and `encoder_seq_len` says whether
    the workload may say how long the encoder's sequences are."""

    def build(config: Any, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
        for key in ("encoder_layerdrop", "decoder_layerdrop"):
            if workload.phase == "train" and getattr(config, key, None):
                raise ConfigError(
                    f"{key} {getattr(config, key)}: whole layers that are dropped in training are not modelled; "
                    f"add --set {key}=0"
                )
        return run(describe(config), workload, b)

    sizes: dict[str, Callable[[Any], Any]] = {"seq_len": context}
    if encoder_seq_len:
        sizes["encoder_seq_len"] = lambda config: None
    return Architecture(
        name,
        config,
        build,
        presets,
        sizes=sizes,
        attention=("fused", "eager"),
        phases=("forward", "train", "prefill", "decode"),
        last_logits=True,
        loss=own_loss,
        dtype="float32",
        aliases={**ALIASES, **LABELS, **(aliases or {})},
        translated=frozenset(aliases or ()),
        model_types=(name,),
        doc=doc,
    )
