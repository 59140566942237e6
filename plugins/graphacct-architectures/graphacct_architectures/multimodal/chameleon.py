"""Chameleon: images as words of a code, in one vocabulary with text.

Chameleon Team, 2024 (arXiv:2405.09818).
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, brief, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.multimodal.parts.compose import Composition, Part
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import of_images
from graphacct_architectures.multimodal.parts.vq import VqConfig, convolved, encoded, nearest

CLASSES = ("ChameleonForConditionalGeneration", "ChameleonModel")
VANILLA = "vanilla"


def _sizes() -> Any:
    """Returns the key of the sizes of an image at which blocks are followed by attention."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[int, ...]:
        items = () if value is None else value
        if not isinstance(items, (list, tuple)) or not all(type(item) is int for item in items):
            raise ConfigError(f"{field.name} is a list of numbers of pixels, not {brief(value)}")
        return tuple(items)

    return fields.checked_field(check, ())


@frozen(kw_only=True)
class ChameleonVqConfig(VqConfig):
    """The encoder's keys that the cost depends on."""

    resolution: int = fields.size(512)
    attn_resolutions: tuple[int, ...] = _sizes()
    attn_type: str = fields.checked_field(lambda value, field: str(value), VANILLA)

    def attends(self, level: int) -> bool:
        """Returns whether each block of a level is followed by attention."""
        return self.attends_between and self.resolution // 2**level in self.attn_resolutions

    @property
    def attends_between(self) -> bool:
        """Whether the block in the middle has attention."""
        return self.attn_type == VANILLA


@frozen(kw_only=True)
class ChameleonConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vocab_size: Dim = fields.size(65536)
    hidden_size: Dim = fields.size(4096)
    intermediate_size: Dim = fields.size(11008)
    num_hidden_layers: Dim = fields.size(32)
    num_attention_heads: Dim = fields.size(32)
    num_key_value_heads: Dim = fields.size(32)
    hidden_act: str = activation("silu")
    max_position_embeddings: Dim = fields.size(4096)
    tie_word_embeddings: bool = fields.flag(False)
    attention_bias: bool = fields.flag(False)
    attention_dropout: float = fields.probability(0.0)
    mlp_bias: bool = fields.flag(False)
    swin_norm: bool = fields.flag(False)
    rope_parameters: Any = rope_parameters()
    vq_config: ChameleonVqConfig | None = fields.nested(ChameleonVqConfig, "chameleon")
    dtype: str | None = fields.dtype()


def describe(config: ChameleonConfig) -> Decoder:
    """Returns Llama's layers with a LayerNorm of each head's queries and keys, and norms before or after each part."""
    d_head = exact_div(config.hidden_size, config.num_attention_heads, "hidden_size / num_attention_heads")
    attention = Attention(
        config.num_attention_heads,
        config.num_key_value_heads,
        d_head,
        bias=config.attention_bias,
        out_bias=config.attention_bias,
        rotary=d_head,
        dropout=config.attention_dropout,
        qk_norm="gains",
        qk_norm_kind=Norm(LAYER_NORM, bias=True),
    )
    network = Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], bias=config.mlp_bias)
    norms = ("input_layernorm", "post_attention_layernorm")
    layer = Layer(attention, network)
    if config.swin_norm:
        layer = Layer(
            attention,
            network,
            attention_norm="",
            attention_post_norm=norms[0],
            mlp_norm="",
            mlp_post_norm=norms[1],
        )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        tied=config.tie_word_embeddings,
        rotary_tables=(("rotary_emb", d_head),),
    )


def vq(config: ChameleonConfig) -> ChameleonVqConfig:
    """Returns the encoder's keys."""
    return config.vq_config or ChameleonVqConfig()


def compose(config: ChameleonConfig, root: str) -> Composition:
    """Returns the decoder, and the words of its images, looked up in its own table."""
    text, c = describe(config), vq(config)

    def rows(workload: Workload, b: Builder) -> Value:
        images = of_images(workload)
        assert images.image_size is not None
        pixels = b.input("pixel_values", (images.batch, c.in_channels, *images.image_size))
        with b.scope(f"{root}vqmodel"):
            with b.scope("encoder"):
                x = encoded(c, attrs.evolve(images, phase="forward"), b, pixels)
            x = convolved(b, "quant_conv", x, c.embed_dim, 1)
            with b.scope("quantize"):
                ids = nearest(c, b, x)
            unused = b.parameter("post_quant_conv.weight", (c.latent_channels, c.embed_dim, 1, 1))
            b.apply("resident", unused, name="post_quant_conv")
            b.apply("resident", b.parameter("post_quant_conv.bias", (c.latent_channels,)), name="post_quant_conv_bias")
        with b.scope(root.removesuffix(".")):
            table = b.parameter("embed_tokens.weight", (config.vocab_size, config.hidden_size))
            return b.apply("embedding", ids, table, name="image_words")

    return Composition(text, (Part("images", rows),), root.removesuffix("."), tied=config.tie_word_embeddings)


ARCHITECTURE = attrs.evolve(
    composition(
        "chameleon",
        ChameleonConfig,
        compose,
        PresetFiles(__file__),
        classes=CLASSES,
        image_size=lambda config: (vq(config).resolution,) * 2,
        sizes={"seq_len": lambda config: config.max_position_embeddings},
        no_cost={"vocabulary_map": None, "model_parallel_size": None},
        doc="Chameleon: images as words of a code (VQ-GAN), in one vocabulary with text.",
    ),
    inexact=None,
)
