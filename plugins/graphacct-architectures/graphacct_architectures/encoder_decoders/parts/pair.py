"""An encoder and a decoder of any families, each with a configuration of its own.

The decoder attends to the encoder's output, which a linear layer makes as wide as the decoder if it is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    DeclinedError,
    Dim,
    SubModel,
    Value,
    Workload,
    fields,
    frozen,
    same,
)
from graphacct_architectures.crossing import Crossing
from graphacct_architectures.layers import linear
from graphacct_architectures.losses import CROSS_ENTROPY, SUM, own_cross_entropy, total
from graphacct_architectures.residing import reside

PROJECTION = "enc_to_dec_proj"
OWN = {"encoder_seq_len": "seq_len"}
"""What a composition calls a size of its encoder, and the encoder itself."""


@frozen(kw_only=True)
class PairConfig:
    """The keys that compositions have besides those of their two models."""

    dtype: str | None = fields.dtype()


def encoder_model(default: str, size: str) -> Any:
    """Returns the key of an encoder of any family that reads the workload's `size`; `default` is its `model_type`
    unless the file says one."""
    read = OWN.get(size, size)

    def fits(architecture: Any, key: str) -> None:
        if read not in architecture.sizes or "prefill" in architecture.phases:
            raise DeclinedError(
                f"{key}.model_type is {architecture.name!r}, which is not read as an encoder here: "
                f"families without a decoder are, whose input is {read}"
            )

    return fields.model(default, fits=fits)


def decoder_model(default: str = "bert") -> Any:
    """Returns the key of a decoder that can attend to an encoder."""

    def fits(architecture: Any, key: str) -> None:
        if not isinstance(architecture.build, Crossing):
            raise DeclinedError(
                f"{key}.model_type is {architecture.name!r}, which is not read as a decoder that attends to an encoder"
            )

    return fields.model(default, keys={"is_decoder": True, "add_cross_attention": True}, fits=fits)


def pair(
    name: str,
    config: type[Any],
    presets: Mapping[str, Any],
    *,
    size: str,
    doc: str,
    aliases: Mapping[str, str] | None = None,
) -> Architecture:
    """Returns the Architecture of compositions whose encoder's input has the workload's `size`."""

    def build(config: Any, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
        decoder = language_model(config.decoder)
        if workload.phase != "decode":
            states = encoded(config, decoder, workload, b)
            b.hold(states)
            inner = attrs.evolve(workload, encoder_seq_len=states.spec.shape[1])
            with b.inside("decoder", "decoder_"):
                return decoder.architecture.build.attending(decoder.config, inner, b, states)
        aside = Builder("encoder", b.operators, b.dtype)
        states = encoded(config, decoder, workload, aside)
        reside(b, aside.graph(states))
        inner = attrs.evolve(workload, encoder_seq_len=states.spec.shape[1])
        with b.inside("decoder", "decoder_"):
            return decoder.architecture.build.attending(decoder.config, inner, b, None)

    def encoded(config: Any, decoder: SubModel, workload: Workload, b: Builder) -> Value:
        encoder: SubModel = config.encoder
        phase = "train" if workload.phase == "train" else "forward"
        own = attrs.evolve(
            workload,
            phase=phase,
            seq_len=workload.encoder_seq_len if size == "encoder_seq_len" else None,
            encoder_seq_len=None,
            cache_len=None,
            kv_dtype=None,
            logits="all",
            loss=SUM,
        )
        with b.inside("encoder"):
            made = encoder.architecture.build(encoder.config, own, b)
        outputs = (made,) if isinstance(made, Value) else made
        states = outputs[0]
        b.hold(*outputs)
        if len(states.spec.shape) != 3:
            raise ConfigError(
                f"encoder.model_type is {encoder.architecture.name!r}, whose output is {states.spec.shape}: a decoder "
                "attends to rows, (batch, places, width)"
            )
        return projected(decoder, states, b)

    taken = OWN.get(size, size)
    return Architecture(
        name,
        config,
        build,
        presets,
        sizes={
            "seq_len": lambda config: config.decoder.architecture.sizes["seq_len"](config.decoder.config),
            size: lambda config: config.encoder.architecture.sizes[taken](config.encoder.config),
        },
        attention=("fused", "eager"),
        phases=("forward", "train", "prefill", "decode"),
        last_logits=True,
        dtype="float32",
        aliases={"torch_dtype": "dtype", **(aliases or {})},
        losses={CROSS_ENTROPY: own_cross_entropy, SUM: total},
        no_cost=dict.fromkeys(("tie_word_embeddings", "processor_class")),
        model_types=(name,),
        doc=doc,
    )


def language_model(decoder: SubModel) -> SubModel:
    """Returns a decoder as its family's language model."""
    named = [decoder.architecture.build.language_model]
    return attrs.evolve(decoder, config=attrs.evolve(decoder.config, architectures=named))


def projected(decoder: SubModel, states: Value, b: Builder) -> Value:
    """Returns the encoder's output as the decoder takes it. Raises ConfigError if the decoder takes another width."""
    width, taken = width_of(decoder), getattr(decoder.config, "cross_attention_hidden_size", None)
    given = states.spec.shape[-1]
    if taken is not None:
        if not same(taken, given):
            raise ConfigError(f"decoder.cross_attention_hidden_size is {taken}, and the encoder's output {given} wide")
        return states
    return states if same(width, given) else linear(b, PROJECTION, states, width)


def width_of(decoder: SubModel) -> Dim:
    """Returns the width of a decoder's stream."""
    for key in ("hidden_size", "d_model", "n_embd"):
        if hasattr(decoder.config, key):
            found: Dim = getattr(decoder.config, key)
            return found
    raise ConfigError(f"decoder.model_type is {decoder.architecture.name!r}, whose width has no key")
