"""AIMv2's tower: patches, RMSNorms, gated networks, and a learned query that pools an image's tokens.

Fini et al., 2024 (arXiv:2411.14402).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import linear, merge_heads, split_heads
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.multimodal.clip import positioned
from graphacct_architectures.tower import Tower, check_image, patch_count, patches, tower_states

VISION = "Aimv2VisionModel"


@frozen(kw_only=True)
class LayerKeys:
    """The keys of a tower's layers that the cost depends on."""

    hidden_size: Dim = fields.size(1024)
    intermediate_size: Dim = fields.size(2816)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(8)
    hidden_act: str = activation("silu")
    attention_dropout: float = fields.probability(0.0)
    qkv_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)


@frozen(kw_only=True)
class VisionConfig(LayerKeys):
    """The image tower's keys that the cost depends on."""

    num_channels: Dim = fields.size(3)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    patch_size: tuple[Dim, Dim] = fields.sides(14)
    use_head: bool = fields.flag(True)
    is_native: bool = fields.flag(False)


@frozen(kw_only=True)
class Aimv2VisionConfig(VisionConfig):
    """The tower's keys, and its class."""

    architectures: str = fields.model_class(VISION, (VISION,))
    dtype: str | None = fields.dtype()


def described(c: LayerKeys) -> Tower:
    """Returns the layers of a tower."""
    network = Mlp(c.intermediate_size, ACTIVATIONS[c.hidden_act], module="ffn", bias=c.mlp_bias)
    return Tower(
        c.num_hidden_layers,
        c.num_attention_heads,
        network,
        stack="layers",
        attention="attention",
        out="out_proj",
        norms=("rms_norm1", "rms_norm2"),
        norm=Norm(),
        bias=c.qkv_bias,
        out_bias=c.qkv_bias,
        attention_dropout=c.attention_dropout,
        stream_first=True,
    )


def image_states(
    config: Any,
    workload: Workload,
    b: Builder,
    key: str = "image_size",
    wanted: Sequence[int] = (),
    patching: str = "patch_embed",
) -> dict[Dim, Value]:
    """Returns the tokens of each image after all layers, and after as many as each `wanted` number says. `patching` is
    the name of the convolution that makes patches."""
    side = workload.image_size if config.is_native else check_image(workload.image_size, config.image_size, key)
    assert side is not None  # the architecture declares its default
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *side))
    with b.scope("embeddings"):
        x = patches(b, patching, pixels, config.hidden_size, config.patch_size, bias=True)
        x = normed_by(b, "rms_norm", x, Norm())
        count = patch_count(config.image_size, config.patch_size)
        x = placed(b, x) if config.is_native else positioned(b, x, count, count)
    with b.scope("encoder"):
        return tower_states(described(config), workload, b, x, wanted)


def placed(b: Builder, x: Value) -> Value:
    """Returns x with sines and cosines of each patch's row and column added, made for each image's size."""
    _, count, width = x.spec.shape
    quarter = exact_div(width, 4, "hidden_size / 4")
    waves = []
    for word in ("rows", "columns"):
        places = b.apply("constant", name=word, shape=(count, 1), dtype="float64")
        rates = b.apply("constant", name=f"{word}_rates", shape=(1, quarter), dtype="float64")
        angles = b.apply("mul", places, rates, name=f"{word}_angles")
        waves += [b.apply(kind, angles, name=f"{word}_{kind}") for kind in ("sin", "cos")]
    table = b.apply("cast", b.apply("concat", *waves, name="waves", dim=1), name="places", dtype=b.dtype)
    found: Value = b.apply("add", x, table, name="embed")
    return found


def finish(config: Any, b: Builder, x: Value) -> Value:
    """Adds the last norm and the pooling of the head, which the class runs after the layers; returns the last hidden
    state."""
    x = normed_by(b, "rms_norm", x, Norm())
    if config.use_head:
        pooled(config, b, x)
    return x


def pooled(c: VisionConfig, b: Builder, x: Value) -> Value:
    """Returns what a learned query reads of each image's tokens (batch, tokens, width): (batch, width)."""
    batch, _, width = x.spec.shape
    heads = c.num_attention_heads
    d_head = exact_div(width, heads, "hidden_size / num_attention_heads")
    with b.scope("head"):
        query = b.apply("expand", b.parameter("cls_token", (1, 1, width)), name="query", shape=(batch, 1, width))
        k, v = (linear(b, f"{label}_proj", x, width, bias=c.qkv_bias) for label in "kv")
        parts = ((query, "q"), (k, "k"), (v, "v"))
        q, k, v = (split_heads(b, part, heads, d_head, label) for part, label in parts)
        y = merge_heads(b, b.apply("scaled_dot_product_attention", q, k, v, name="sdpa"))
        return linear(b, "output_proj", b.apply("mean", y, name="mean", dim=1), width)


def images(config: VisionConfig, workload: Workload, b: Builder, key: str = "image_size") -> tuple[Value, Value | None]:
    """Returns the tokens of each image, normalized, and what its head makes of them."""
    x = normed_by(b, "rms_norm", image_states(config, workload, b, key)[config.num_hidden_layers], Norm())
    return x, pooled(config, b, x) if config.use_head else None


def build(config: Aimv2VisionConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from images to their tokens and the pooled ones."""
    tokens, first = images(config, workload, b)
    return (tokens,) if first is None else (tokens, first)


ARCHITECTURE = Architecture(
    "aimv2_vision_model",
    Aimv2VisionConfig,
    build,
    PresetFiles(__file__),
    sizes={"image_size": lambda config: config.image_size},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    model_types=("aimv2_vision_model",),
    losses=SUM_ALONE,
    doc="AIMv2's tower for images alone: RMSNorms, gated networks, a learned query that pools.",
)
