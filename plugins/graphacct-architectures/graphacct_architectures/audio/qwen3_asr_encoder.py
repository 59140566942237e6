"""Qwen3-ASR's encoder of sound: convolutions over the plane of each second, layers whose windows are eight seconds.

The sizes are those of the transformers library's configuration class.
"""

from __future__ import annotations

from typing import Any

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, fields, floor_div, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.chunks import Chunked, chunked
from graphacct_architectures.audio.parts.frames import FRAMES_PER_SECOND
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import layer_norm, linear
from graphacct_architectures.losses import SUM_ALONE

USUAL = 30 * FRAMES_PER_SECOND
"""Frames of a sound whose length is not given."""
ALIASES = {
    "num_hidden_layers": "encoder_layers",
    "hidden_size": "d_model",
    "num_attention_heads": "encoder_attention_heads",
    "intermediate_size": "encoder_ffn_dim",
}
"""The library's other names of keys, which win there."""


@frozen(kw_only=True)
class ChunksConfig:
    """The keys that encoders have which cut sounds into chunks."""

    num_mel_bins: Dim = fields.size(128)
    encoder_layers: Dim = fields.size(32)
    encoder_attention_heads: Dim = fields.size(20)
    encoder_ffn_dim: Dim = fields.size(5120)
    d_model: Dim = fields.size(1280)
    activation_function: str = activation("gelu")
    n_window: Dim = fields.size(50)
    output_dim: Dim = fields.size(3584)
    dtype: str | None = fields.dtype()


@frozen(kw_only=True)
class Qwen3ASREncoderConfig(ChunksConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("Qwen3ASREncoder", ("Qwen3ASREncoder",))
    encoder_layers: Dim = fields.size(24)
    encoder_attention_heads: Dim = fields.size(16)
    encoder_ffn_dim: Dim = fields.size(4096)
    d_model: Dim = fields.size(1024)
    n_window_infer: Dim = fields.size(800)
    downsample_hidden_size: Dim = fields.size(480)
    max_position_embeddings: Dim = fields.size(13)


def describe(config: Any, places: Dim, **rest: Any) -> Chunked:
    """Returns the encoder of a configuration with the keys of ChunksConfig."""
    return Chunked(
        config.d_model,
        config.encoder_layers,
        config.encoder_attention_heads,
        config.encoder_ffn_dim,
        config.activation_function,
        config.num_mel_bins,
        2 * config.n_window,
        places,
        **rest,
    )


def by_plane(config: Any, places: Dim, padded: bool) -> Chunked:
    """Returns an encoder with convolutions over the plane, whose windows have n_window_infer frames."""
    window = floor_div(config.n_window_infer, 2 * config.n_window)
    return describe(config, places, plane=config.downsample_hidden_size, window=window, padded=padded)


def build(config: Qwen3ASREncoderConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from frames to the rows of all sounds, (rows, width)."""
    x = chunked(by_plane(config, config.max_position_embeddings, True), workload, b)
    return layer_norm(b, "ln_post", x)


def projected(config: ChunksConfig, names: tuple[str, str], b: Builder, x: Value) -> Value:
    """Returns rows in the width of a text: two linear layers."""
    first, second = names
    x = activated(b, ACTIVATIONS[config.activation_function], linear(b, first, x, config.d_model), "act")
    return linear(b, second, x, config.output_dim)


def architecture(name: str, config: type[Any], build: Any, file: str, doc: str) -> Architecture:
    """Returns the Architecture of an encoder alone."""
    unread = ("dropout", "attention_dropout", "activation_dropout", "scale_embedding", "conv_chunksize")
    return Architecture(
        name,
        config,
        build,
        PresetFiles(file),
        sizes={"frames": lambda config: USUAL},
        per_second={"frames": lambda config: FRAMES_PER_SECOND},
        attention=("fused", "eager"),
        aliases={"torch_dtype": "dtype", **ALIASES},
        translated=frozenset(ALIASES),
        no_cost=dict.fromkeys(unread),
        model_types=(name,),
        losses=SUM_ALONE,
        inexact=apart,
        doc=doc,
    )


def apart(config: Any, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not exact: the class splits each window from the others."""
    return ("saved tensors of the encoder were not found equal: its class splits windows apart",)


ARCHITECTURE = architecture(
    "qwen3_asr_encoder",
    Qwen3ASREncoderConfig,
    build,
    __file__,
    "Qwen3-ASR's encoder of sound: convolutions over the plane of chunks, layers that see windows of them.",
)
