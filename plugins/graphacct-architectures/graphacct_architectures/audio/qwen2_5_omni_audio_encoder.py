"""Qwen2.5-Omni's encoder of sound: Whisper's, on chunks of two seconds that do not see each other.

Xu et al., 2025 (arXiv:2503.20215).
"""

from __future__ import annotations

from graphacct import Builder, Dim, Value, Workload, fields, floor_div, frozen
from graphacct_architectures.audio.parts.chunks import chunked
from graphacct_architectures.audio.qwen3_asr_encoder import ChunksConfig, architecture, describe
from graphacct_architectures.layers import layer_norm, linear, resident


@frozen(kw_only=True)
class Qwen2_5OmniAudioEncoderConfig(ChunksConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("Qwen2_5OmniAudioEncoder", ("Qwen2_5OmniAudioEncoder",))
    max_source_positions: Dim = fields.size(1500)
    n_window: Dim = fields.size(100)


def build(config: Qwen2_5OmniAudioEncoderConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from frames to the rows of all sounds, (rows, output_dim): means of two positions, projected.
    The vectors for a sound's beginning and end are in memory, and nothing reads them."""
    x = chunked(describe(config, config.max_source_positions, key_bias=False), workload, b)
    pairs = workload.batch * floor_div(floor_div(x.spec.shape[0], workload.batch), 2)
    halves = []
    for name in ("first", "second"):
        places = b.apply("constant", name=f"{name}_places", shape=(pairs,), dtype="int64")
        halves.append(b.apply("index_select", x, places, name=f"{name}_rows"))
    x = b.apply("scale", b.apply("add", *halves, name="pairs_added"), name="pairs")
    table = b.parameter("audio_bos_eos_token.weight", (2, config.output_dim))
    resident(b, "audio_bos_eos_token", table, lookup=True)
    return linear(b, "proj", layer_norm(b, "ln_post", x), config.output_dim)


ARCHITECTURE = architecture(
    "qwen2_5_omni_audio_encoder",
    Qwen2_5OmniAudioEncoderConfig,
    build,
    __file__,
    "Qwen2.5-Omni's encoder of sound: Whisper's convolutions and layers, on chunks apart.",
)
