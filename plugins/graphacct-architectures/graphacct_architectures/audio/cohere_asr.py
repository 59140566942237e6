"""Cohere Transcribe: Parakeet's encoder, and a decoder with learned positions that reads a projection of it.

The sizes are those of the transformers library's configuration class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    differ,
    fields,
    frozen,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.aliases import ALIASES
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.encoder_decoders.parts.description import (
    Attention,
    EncoderDecoder,
    Part,
    Positions,
    Stack,
)
from graphacct_architectures.encoder_decoders.parts.run import attending
from graphacct_architectures.layers import for_logits, linear
from graphacct_architectures.losses import CROSS_ENTROPY, SUM, check_entropy, entropy_if, own_cross_entropy, total
from graphacct_architectures.residing import reside

LM, MODEL = "CohereAsrForConditionalGeneration", "CohereAsrModel"
ENCODER: Mapping[str, Any] = {
    **{"hidden_size": 1280, "num_hidden_layers": 48, "num_attention_heads": 8, "intermediate_size": 5120},
    **{"num_mel_bins": 128, "dropout": 0.0, "dropout_positions": 0.0, "layerdrop": 0.0, "activation_dropout": 0.0},
    "attention_dropout": 0.0,
}
"""The encoder's keys that count where a file leaves them out."""


@frozen(kw_only=True)
class CohereAsrConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL))
    encoder_config: SubModel = fields.model("parakeet_encoder", always=True, absent=ENCODER)
    vocab_size: Dim = fields.size(16384)
    hidden_size: Dim = fields.size(1024)
    num_hidden_layers: Dim = fields.size(8)
    num_attention_heads: Dim = fields.size(8)
    num_key_value_heads: Dim | None = fields.optional_size()
    head_dim: Dim | None = fields.optional_size()
    intermediate_size: Dim = fields.size(4096)
    hidden_act: str = activation("relu")
    max_position_embeddings: Dim = fields.size(1024)
    attention_dropout: float = fields.probability(0.0)
    attention_bias: bool = fields.flag(True)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def describe(config: CohereAsrConfig) -> EncoderDecoder:
    """Returns the decoder, without its head."""
    heads, shared, most = config.num_attention_heads, config.num_key_value_heads, config.max_position_embeddings
    if shared is not None and differ(heads, shared):
        raise ConfigError(
            f"num_key_value_heads is {shared} and num_attention_heads {heads}: shared heads beside an encoder are not "
            "read"
        )
    d_head = config.hidden_size // heads if config.head_dim is None else config.head_dim
    options: dict[str, Any] = {"out": "o_proj", "bias": config.attention_bias, "dropout": config.attention_dropout}
    act = ACTIVATIONS[config.hidden_act]
    network = Mlp(config.intermediate_size, act, gated=False, up="fc1", down="fc2", bias=True)
    decoder = Stack(
        (
            Part(Attention(heads, d_head, "self_attn", **options), "input_layernorm"),
            Part(Attention(heads, d_head, "encoder_attn", True, **options), "post_attention_layernorm"),
            Part(network, "final_layernorm"),
        ),
        config.num_hidden_layers,
        "decoder",
        positions=Positions("pos_emb", most, most),
        embedding_norm="embedding_layernorm",
        norm="norm",
        norm_kind=Norm(LAYER_NORM, bias=True),
    )
    module = "model" if config.architectures == LM else ""
    return EncoderDecoder(config.vocab_size, config.hidden_size, None, decoder, module, shared="", head=None)


def build(config: CohereAsrConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from frames and ids to logits, or to the last stream. A decoding step projects what the encoder
    made again, as the class does, although nothing reads it."""
    headed = config.architectures == LM
    check_entropy(headed, workload, config.architectures)
    if not headed and workload.logits == "last":
        raise ConfigError(f"{MODEL} has no logits of the vocabulary: leave logits='last' out")
    d = describe(config)
    decoding = workload.phase == "decode"
    entering = Builder("encoder", b.operators, b.dtype) if decoding else b
    states = encoded(config.encoder_config, d.module, workload, entering)
    if decoding:
        reside(b, entering.graph(states))
        states = b.input("encoder_hidden_states", states.spec.shape, b.dtype)
    b.hold(states)
    with b.scope(d.module), b.scope("decoder"):
        read = linear(b, "proj", states, config.hidden_size)
    workload = attrs.evolve(workload, encoder_seq_len=states.spec.shape[1])
    outputs = attending(d, workload, b, None if decoding else read)
    x: Value = outputs[0] if isinstance(outputs, tuple) else outputs
    if not headed:
        return x
    tied = d.table if config.tie_word_embeddings else ""
    return linear(b, "proj_out", for_logits(b, x, workload), config.vocab_size, tied_to=tied)


def encoded(encoder: SubModel, module: str, workload: Workload, b: Builder) -> Value:
    """Returns what the encoder makes of the frames, (batch, positions, width)."""
    phase = "train" if workload.phase == "train" else "forward"
    with b.scope(module), b.scope("encoder"):
        made: Value = encoder.architecture.build(encoder.config, attrs.evolve(workload, phase=phase, loss="sum"), b)
    return made


def inexact(config: CohereAsrConfig, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not exact of the encoder."""
    known = config.encoder_config.architecture.inexact
    return () if known is None else tuple(known(config.encoder_config.config, workload, dtype))


ARCHITECTURE = Architecture(
    "cohere_asr",
    CohereAsrConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.max_position_embeddings,
        "frames": lambda config: config.encoder_config.architecture.sizes["frames"](config.encoder_config.config),
    },
    per_second={
        "frames": lambda config: config.encoder_config.architecture.per_second["frames"](config.encoder_config.config)
    },
    attention=("fused", "eager"),
    phases=("forward", "train", "prefill", "decode"),
    last_logits=True,
    losses={CROSS_ENTROPY: own_cross_entropy, SUM: total},
    default_loss=lambda config: entropy_if(config.architectures == LM),
    aliases=ALIASES,
    no_cost={"max_position_embeddings": None},  # of the encoder
    model_types=("cohere_asr",),
    inexact=inexact,
    doc="Cohere Transcribe: Parakeet's encoder, a decoder with learned positions that reads a projection of it.",
)
