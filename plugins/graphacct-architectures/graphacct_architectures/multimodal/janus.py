"""Janus: a SigLIP-like tower for what is seen, and for what is drawn an image's words of a code, which no pass of the
text runs.

Wu et al., 2024 (arXiv:2410.13848); Chen et al., 2025 (arXiv:2501.17811).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, SubModel, Value, Workload, brief, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import embedding, layer_norm, linear
from graphacct_architectures.multimodal.clip import positioned
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import of_images
from graphacct_architectures.multimodal.parts.vq import VqConfig, convolved, decoded, encoded, nearest
from graphacct_architectures.residing import reside
from graphacct_architectures.tower import Tower, check_image, patch_count, patches, tower

CLASSES = ("JanusForConditionalGeneration", "JanusModel")


def _ratio() -> Any:
    """Returns the key of how many times as wide as the stream a network is."""

    def check(value: Any, field: attrs.Attribute[Any]) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 10**6:
            raise ConfigError(f"{field.name} is a positive number, not {brief(value)}")
        return float(value)

    return fields.checked_field(check, 4.0)


def _none() -> Any:
    """Returns a key of a dropout that is 0 in every published file, and that is not modelled."""

    def check(value: Any, field: attrs.Attribute[Any]) -> float:
        if value not in (0, 0.0, None):
            raise ConfigError(f"{field.name} is {brief(value)}: Janus' tower is read without it alone, which is 0")
        return 0.0

    return fields.checked_field(check, 0.0)


@frozen(kw_only=True)
class VisionConfig:
    """The tower's keys that the cost depends on."""

    hidden_size: Dim = fields.size(1024)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(16)
    num_channels: Dim = fields.size(3)
    image_size: tuple[Dim, Dim] = fields.sides(384)
    patch_size: tuple[Dim, Dim] = fields.sides(16)
    hidden_act: str = activation("gelu")
    attention_dropout: float = fields.probability(0.0)
    mlp_ratio: float = _ratio()
    attention_bias: bool = fields.flag(True)
    hidden_dropout_rate: float = _none()
    projection_dim: Dim = fields.size(2048)
    projection_dropout: float = fields.probability(0.0)
    use_qk_norm: bool = fields.always(False)
    depth: int = fields.size(2)


@frozen(kw_only=True)
class JanusVqConfig(VqConfig):
    """The code's keys that the cost depends on."""

    embed_dim: Dim = fields.size(8)
    num_embeddings: Dim = fields.size(16384)
    out_channels: Dim = fields.size(3)
    projection_dim: Dim = fields.size(2048)
    num_hidden_layers: int = fields.size(2)
    hidden_act: str = activation("gelu")
    image_token_embed_dim: Dim = fields.size(2048)

    def attends(self, level: int) -> bool:
        """Returns whether each block of a level is followed by attention: those of the smallest are."""
        return level == self.levels - 1


@frozen(kw_only=True)
class JanusConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    text_config: SubModel = text_model("llama")
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "janus")
    vq_config: JanusVqConfig | None = fields.nested(JanusVqConfig, "janus")
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def compose(config: JanusConfig, root: str) -> Composition:
    """Returns a decoder, and its images through the tower and the aligner; what draws images is in memory."""
    text = described(config.text_config)
    vision, code = tower_of(config), config.vq_config or JanusVqConfig()

    def rows(workload: Workload, b: Builder) -> Value:
        images = of_images(workload)
        with b.scope(f"{root}vision_model"):
            x = seen(vision, images, b)
        with b.scope(f"{root}aligner"):
            x = aligned(b, x, vision.projection_dim, vision.depth, vision.hidden_act)
        aside = Builder("drawn", b.operators, b.dtype)
        with aside.scope(root.removesuffix(".")):
            drawn = drawing(code, images, aside)
        reside(b, aside.graph(*drawn))
        return x

    return Composition(text, (Part("images", rows),), f"{root}language_model", tied=config.tie_word_embeddings)


def seen(c: VisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the tokens of images, normalized; the builder is in the tower's scope."""
    side = check_image(workload.image_size, c.image_size, "vision_config.image_size")
    pixels = b.input("pixel_values", (workload.batch, c.num_channels, *side))
    with b.scope("embeddings"):
        x = patches(b, "patch_embedding", pixels, c.hidden_size, c.patch_size, bias=True)
        count = patch_count(c.image_size, c.patch_size)
        x = positioned(b, x, count, count)
    if type(c.hidden_size) is not int:
        raise ConfigError(f"vision_config.hidden_size is {c.hidden_size}: mlp_ratio multiplies it, so give a number")
    width = int(c.hidden_size * c.mlp_ratio)
    kind = Tower(
        c.num_hidden_layers,
        c.num_attention_heads,
        Mlp(width, ACTIVATIONS[c.hidden_act], gated=False, up="fc1", down="fc2", bias=True),
        stack="layers",
        attention="self_attn",
        out="projection_layer",
        norms=("layer_norm1", "layer_norm2"),
        bias=c.attention_bias,
        attention_dropout=c.attention_dropout,
        out_dropout=c.projection_dropout,
        stream_first=True,
    )
    with b.scope("encoder"):
        x = tower(kind, workload, b, x)
    return layer_norm(b, "post_layernorm", x)


def aligned(b: Builder, x: Value, width: Dim, depth: int, act: str) -> Value:
    """Returns rows of the text's width; the builder is in the aligner's scope."""
    x = linear(b, "fc1", x, width)
    for index in range(depth - 1):
        x = linear(b, f"hidden_layers.{index}", activated(b, ACTIVATIONS[act], x, f"act_{index}"), width)
    return x


def drawing(c: JanusVqConfig, workload: Workload, b: Builder) -> Sequence[Value]:
    """Adds what draws images: the code's encoder and decoder, its words' embeddings and the head that chooses one."""
    side = 2 ** (c.levels - 1)
    with b.scope("vqmodel"):
        with b.scope("encoder"):
            x = encoded(c, workload, b, b.input("drawn_pixels", (1, c.in_channels, 2 * side, 2 * side)))
        x = convolved(b, "quant_conv", x, c.embed_dim, 1)
        with b.scope("quantize"):
            ids = nearest(c, b, x)
        x = convolved(b, "post_quant_conv", x, c.latent_channels, 1)
        with b.scope("decoder"):
            image = decoded(c, workload, b, x, c.out_channels)
    words = embedding(b, "generation_embeddings", ids, c.num_embeddings, c.embed_dim)
    with b.scope("generation_aligner"):
        words = aligned(b, words, c.projection_dim, c.num_hidden_layers, c.hidden_act)
    with b.scope("generation_head"):
        y = linear(b, "proj_out", b.input("drawn_states", (1, c.image_token_embed_dim)), c.projection_dim)
        y = activated(b, ACTIVATIONS[c.hidden_act], y)
        y = linear(b, "vision_head", y, c.num_embeddings)
    return image, words, y


def tower_of(config: JanusConfig) -> VisionConfig:
    """Returns the tower's keys."""
    return config.vision_config or VisionConfig()


ARCHITECTURE = composition(
    "janus",
    JanusConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: tower_of(config).image_size,
    doc="Janus: a SigLIP-like tower, an aligner, any decoder; a code of images is in memory.",
)
