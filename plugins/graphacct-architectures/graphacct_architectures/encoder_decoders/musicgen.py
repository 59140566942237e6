"""MusicGen: an encoder of text, a decoder of sounds' tokens, and the codec that makes the tokens and sounds of them.

Copet et al., 2023 (arXiv:2306.05284). The decoder is given tokens: the codec is in memory, and does not run.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    DeclinedError,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    differ,
    fields,
    frozen,
    same,
)
from graphacct_architectures.audio.parts.speaking import codec_resides, hears
from graphacct_architectures.encoder_decoders.musicgen_decoder import crossing
from graphacct_architectures.layers import linear
from graphacct_architectures.losses import SUM, SUM_ALONE
from graphacct_architectures.residing import reside

LM = "MusicgenForConditionalGeneration"
TEXT_ALONE = "T5EncoderModel"


def reads_text(architecture: Any, key: str) -> None:
    """Raises DeclinedError for a family without an encoder of text as T5 has it."""
    classes = getattr(architecture.config, "__attrs_attrs__", ())
    if "d_kv" not in {field.name for field in classes}:
        raise DeclinedError(
            f"{key}.model_type is {architecture.name!r}, which is not read here: encoders like T5's are"
        )


@frozen(kw_only=True)
class MusicgenConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM,))
    text_encoder: SubModel = fields.model("t5", fits=reads_text)
    audio_encoder: SubModel = fields.model("encodec", fits=hears)
    decoder: SubModel = fields.model("musicgen_decoder", always=True)
    dtype: str | None = fields.dtype()


def build(config: MusicgenConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from ids of a text and tokens of sounds to the logits of each book. A decoding step projects
    what the encoder made again, although the cache has what is read of it."""
    decoding = workload.phase == "decode"
    entering = Builder("text_encoder", b.operators, b.dtype) if decoding else b
    states = encoded(config.text_encoder, workload, entering)
    if decoding:
        reside(b, entering.graph(states))
    codec_resides(config.audio_encoder, "audio_encoder", workload, b)
    width, given = config.decoder.config.hidden_size, states.spec.shape[-1]
    taken = config.decoder.config.cross_attention_hidden_size
    if taken is not None and (differ(taken, given) or differ(taken, width)):
        raise ConfigError(
            f"decoder.cross_attention_hidden_size is {taken}: the text encoder's output is {given} wide, and the "
            f"decoder {width}"
        )
    if not same(given, width):
        if decoding:
            states = b.input("encoder_hidden_states", states.spec.shape, b.dtype)
        states = linear(b, "enc_to_dec_proj", states, width)
    b.hold(states)
    inner = attrs.evolve(workload, encoder_seq_len=states.spec.shape[1])
    with b.inside("decoder"):
        return crossing(config.decoder.config, inner, b, None if decoding else states)


def encoded(text: SubModel, workload: Workload, b: Builder) -> Value:
    """Returns what the encoder makes of a text, (batch, tokens, width)."""
    phase = "train" if workload.phase == "train" else "forward"
    own = attrs.evolve(workload, phase=phase, cache_len=None, kv_dtype=None, logits="all", loss=SUM)
    config = attrs.evolve(text.config, architectures=[TEXT_ALONE])
    with b.inside("text_encoder"):
        made = text.architecture.build(config, own, b)
    states: Value = made if isinstance(made, Value) else made[0]
    return states


ARCHITECTURE = Architecture(
    "musicgen",
    MusicgenConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.decoder.config.max_position_embeddings,
        "encoder_seq_len": lambda config: None,
    },
    attention=("fused", "eager"),
    phases=("forward", "train", "prefill", "decode"),
    last_logits=True,
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(("initializer_factor", "sampling_rate")),
    model_types=("musicgen",),
    losses=SUM_ALONE,
    doc="MusicGen: an encoder of text, a decoder of sounds' tokens, and a codec in memory.",
)
