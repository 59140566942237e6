"""Shared by families with an encoder: the class that a file names, and the Architecture around a description."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphacct import Architecture, Builder, ConfigError, Dim, Value, Workload, fields
from graphacct_architectures.aliases import ALIASES
from graphacct_architectures.classifier import EOS, Classifier, scored
from graphacct_architectures.crossing import Crossing, Described
from graphacct_architectures.encoder_decoders.parts.description import EncoderDecoder
from graphacct_architectures.encoder_decoders.parts.run import attending as run_attending
from graphacct_architectures.encoder_decoders.parts.run import run
from graphacct_architectures.losses import CROSS_ENTROPY, SUM, entropy_if, own_cross_entropy, own_span, total


def of_text(width: Dim, labels: Dim, dropout: float) -> Classifier:
    """Returns a classifier of texts: two projections of the decoder's output at the end of the text."""
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


OF_NO_CLASS = dict.fromkeys(
    (
        *("add_cross_attention", "is_decoder", "normalize_before", "normalize_embedding", "add_final_layer_norm"),
        *("static_position_embeddings", "extra_pos_embeddings", "extra_layer_norm", "layernorm_variant", "variant"),
        *("do_blenderbot_90_layernorm", "layer_norm_bias"),
    )
)
"""Keys of published files that the classes do not read: what a family does is the class's, whatever they say."""


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
    inexact: Callable[[Any, Workload, str], Sequence[str]] | None = None,
    counts_dropped: bool = False,
    language_model: str = "",
    sounds: Mapping[str, Callable[[Any], Any]] | None = None,
    per_second: Mapping[str, Callable[[Any], Any]] | None = None,
    no_cost: Mapping[str, tuple[Any, ...] | None] | None = None,
    **rest: Any,
) -> Architecture:
    """Returns the Architecture of a family: `describe` returns a configuration's description, `encoder_seq_len`
    says whether the workload may set the length of the encoder's sequences, `inexact` what is known not to equal
    the library, and `counts_dropped` whether whole layers that chance drops in training are counted as if they ran,
    because published files drop some; otherwise they are an error. `language_model` is the name of the class that is
    the decoder alone, which attends to another model in a composition. `sounds` are the lengths of what an encoder of
    sounds reads, with their defaults, `per_second` how many there are in a second, `rest` the Architecture's."""

    def build(config: Any, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
        for key in ("encoder_layerdrop", "decoder_layerdrop"):
            if workload.phase == "train" and getattr(config, key, None) and not counts_dropped:
                raise ConfigError(
                    f"{key} {getattr(config, key)}: whole layers that are dropped in training are not modelled; "
                    f"add --set {key}=0"
                )
        return run(describe(config), workload, b)

    def attending(config: Any, workload: Workload, b: Builder, states: Value | None) -> Value | tuple[Value, ...]:
        return run_attending(describe(config), workload, b, states)

    sizes: dict[str, Callable[[Any], Any]] = {"seq_len": context}
    if encoder_seq_len and not sounds:
        sizes["encoder_seq_len"] = lambda config: None
    sizes |= sounds or {}
    return Architecture(
        name,
        config,
        Crossing(build, attending, language_model, describe) if language_model else Described(build, describe),
        presets,
        sizes=sizes,
        attention=("fused", "eager"),
        phases=("forward", "train", "prefill", "decode"),
        last_logits=True,
        losses={CROSS_ENTROPY: class_loss, SUM: total},
        default_loss=lambda config: entropy_if(has_logits(describe(config))),
        dtype="float32",
        aliases={**ALIASES, **fields.LABELS, **(aliases or {})},
        translated=frozenset(aliases or ()),
        no_cost={**OF_NO_CLASS, **(no_cost or {})},
        model_types=(name,),
        doc=doc,
        inexact=dropped_layers if counts_dropped else inexact,
        per_second=per_second or {},
        **rest,
    )


def dropped_layers(config: Any, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns that layers which chance drops in a training step are counted."""
    found = [
        f"{key} {getattr(config, key)}" for key in ("encoder_layerdrop", "decoder_layerdrop") if getattr(config, key)
    ]
    return (f"{' and '.join(found)}: the layers that chance drops are counted as if they ran",) if found else ()


def class_loss(config: Any, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the cross-entropy of a configuration's class: of both ends of a span, or else of the labels."""
    return (own_span if len(outputs) == 2 else own_cross_entropy)(config, outputs, b)


def has_logits(d: EncoderDecoder) -> bool:
    """Returns whether a model has logits of words, of classes or of places in the text."""
    return d.head is not None or scored(d.classifier)
