"""Qwen3-Omni's encoder of sound: Qwen3-ASR's, with two projections into the text's width.

Xu et al., 2025 (arXiv:2509.17765).
"""

from __future__ import annotations

from graphacct import Builder, Dim, Value, Workload, fields, frozen
from graphacct_architectures.audio.parts.chunks import chunked
from graphacct_architectures.audio.qwen3_asr_encoder import ChunksConfig, architecture, by_plane, projected
from graphacct_architectures.layers import layer_norm


@frozen(kw_only=True)
class Qwen3OmniMoeAudioEncoderConfig(ChunksConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("Qwen3OmniMoeAudioEncoder", ("Qwen3OmniMoeAudioEncoder",))
    n_window_infer: Dim = fields.size(800)
    downsample_hidden_size: Dim = fields.size(480)
    max_source_positions: Dim = fields.size(1500)


def build(config: Qwen3OmniMoeAudioEncoderConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from frames to the rows of all sounds, (rows, output_dim)."""
    x = chunked(by_plane(config, config.max_source_positions, False), workload, b)
    return projected(config, ("proj1", "proj2"), b, layer_norm(b, "ln_post", x))


ARCHITECTURE = architecture(
    "qwen3_omni_moe_audio_encoder",
    Qwen3OmniMoeAudioEncoderConfig,
    build,
    __file__,
    "Qwen3-Omni's encoder of sound: convolutions over the plane of chunks, layers that see windows of them.",
)
