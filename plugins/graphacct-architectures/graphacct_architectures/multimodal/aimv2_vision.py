"""AIMv2's image tower: a ViT with RMS norms and gated networks (Fini et al., 2024, arXiv:2411.14402)."""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Architecture, Builder, Dim, PresetFiles, Value, Workload, exact_div, fields
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description import Mlp, Norm
from graphacct_architectures.layers import embedding, linear, merge_heads, rms_norm, split_heads
from graphacct_architectures.losses import SUM_ALONE
from graphacct_architectures.tower import Tower, check_image, patch_count, patches, tower

CLASSES = ("Aimv2VisionModel",)


@attrs.frozen(kw_only=True)
class VisionKeys:
    """The keys of the published config.json that the cost depends on."""

    hidden_size: Dim = fields.size(1024)
    intermediate_size: Dim = fields.size(2816)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(8)
    num_channels: Dim = fields.size(3)
    image_size: tuple[Dim, Dim] = fields.sides(224)
    patch_size: tuple[Dim, Dim] = fields.sides(14)
    hidden_act: str = activation("silu")
    attention_dropout: float = fields.probability(0.0)
    qkv_bias: bool = fields.flag(False)
    mlp_bias: bool = fields.flag(False)
    use_head: bool = fields.flag(True)
    is_native: bool = fields.flag(False)


@attrs.frozen(kw_only=True)
class Aimv2VisionConfig(VisionKeys):
    """The keys of the image tower alone, and its class."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    dtype: str | None = fields.dtype()


def build(config: Aimv2VisionConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from pixels to the patches, normalized, and their pooled state if there is a head."""
    x, pooled = pictured(config, workload, b)
    return x if pooled is None else (x, pooled)


def pictured(config: VisionKeys, workload: Workload, b: Builder, key: str = "image_size") -> tuple[Value, Value | None]:
    """Returns the patches after all layers, normalized, and their pooled state. Natively images have any size, and
    positions that are not learned."""
    assert workload.image_size is not None  # the architecture declares its default
    image = workload.image_size if config.is_native else check_image(workload.image_size, config.image_size, key)
    pixels = b.input("pixel_values", (workload.batch, config.num_channels, *image))
    width = config.hidden_size
    with b.scope("embeddings"):
        x = patches(b, "patch_embed", pixels, width, config.patch_size, bias=True)
        x = rms_norm(b, "rms_norm", x)
        if config.is_native:
            where = b.apply("constant", name="positions", shape=(1, x.spec.shape[1], width), dtype=b.dtype)
        else:
            count = patch_count(config.image_size, config.patch_size)
            ids = b.apply("constant", name="position_ids", shape=(1, count), dtype="int64")
            where = embedding(b, "position_embedding", ids, count, width)
        x = b.apply("add", x, where, name="embed")
    with b.scope("encoder"):
        x = tower(described(config), workload, b, x)
    x = rms_norm(b, "rms_norm", x)
    return x, headed(config, b, x) if config.use_head else None


def described(config: Any, *, causal: bool = False) -> Tower:
    """Returns the layers of a tower."""
    act = ACTIVATIONS[config.hidden_act]
    return Tower(
        config.num_hidden_layers,
        config.num_attention_heads,
        Mlp(config.intermediate_size, act, gated=True, bias=config.mlp_bias, module="ffn"),
        stack="layers",
        attention="attention",
        out="out_proj",
        norms=("rms_norm1", "rms_norm2"),
        bias=config.qkv_bias,
        out_bias=config.qkv_bias,
        causal=causal,
        attention_dropout=config.attention_dropout,
        norm=Norm(),
        stream_first=True,
    )


def headed(config: VisionKeys, b: Builder, x: Value) -> Value:
    """Returns what one learned query reads of all patches, projected; its attention is always fused."""
    batch, _, width = x.spec.shape
    heads = config.num_attention_heads
    d_head = exact_div(width, heads, "hidden_size / num_attention_heads")
    with b.scope("head"):
        token = b.apply("expand", b.parameter("cls_token", (1, 1, width)), name="cls", shape=(batch, 1, width))
        k, v = (
            split_heads(b, linear(b, f"{label}_proj", x, width, bias=config.qkv_bias), heads, d_head, label)
            for label in "kv"
        )
        q = split_heads(b, token, heads, d_head, "q")
        y = merge_heads(b, b.apply("scaled_dot_product_attention", q, k, v, name="sdpa"))
        return linear(b, "output_proj", b.apply("mean", y, name="mean", dim=1), width)


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
    doc="AIMv2's tower for images alone: RMS norms, gated networks, and a query that reads all patches.",
)
