"""Kosmos-2: a CLIP tower's tokens are read by learned queries, which stand in the text of a decoder with inner norms.

Peng et al., 2023 (arXiv:2306.14824); the decoder's norms inside each part are Magneto's (Wang et al., 2022,
arXiv:2210.06423).
"""

from __future__ import annotations

import attrs

from graphacct import Builder, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Positions
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.layers import layer_norm
from graphacct_architectures.multimodal import clip
from graphacct_architectures.multimodal.parts.compose import Composition, Part
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import of_images
from graphacct_architectures.multimodal.parts.latents import read, unit_rows

CLASSES = ("Kosmos2ForConditionalGeneration", "Kosmos2Model")
NORM = Norm(LAYER_NORM, bias=True)
SPARE = 2
"""Rows of the position table before the first position."""
ALIASES = {"num_attention_heads": "attention_heads", "hidden_size": "embed_dim", "num_hidden_layers": "layers"}


@frozen(kw_only=True)
class TextConfig:
    """The decoder's keys that the cost depends on."""

    vocab_size: Dim = fields.size(65037)
    max_position_embeddings: Dim = fields.size(2048)
    embed_dim: Dim = fields.size(2048)
    layers: Dim = fields.size(24)
    ffn_dim: Dim = fields.size(8192)
    attention_heads: Dim = fields.size(32)
    activation_function: str = activation("gelu")
    dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.1)
    activation_dropout: float = fields.probability(0.0)
    add_cross_attention: bool = fields.always(False)
    tie_word_embeddings: bool = fields.flag(True)


@frozen(kw_only=True)
class VisionConfig(clip.VisionConfig):
    """The tower's keys that the cost depends on."""

    hidden_size: Dim = fields.size(1024)
    intermediate_size: Dim = fields.size(4096)
    num_hidden_layers: Dim = fields.size(24)
    num_attention_heads: Dim = fields.size(16)
    patch_size: tuple[Dim, Dim] = fields.sides(14)


@frozen(kw_only=True)
class Kosmos2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    text_config: TextConfig | None = fields.nested(TextConfig, "kosmos-2")
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "kosmos-2")
    latent_query_num: Dim = fields.size(64)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def text(self) -> TextConfig:
        """The decoder."""
        return self.text_config or TextConfig()

    @property
    def vision(self) -> VisionConfig:
        """The tower."""
        return self.vision_config or VisionConfig()


def described(c: TextConfig, inner_norm: str = "inner_attn_ln", *, query_scaled: bool = False) -> Decoder:
    """Returns the decoder: layers with a norm inside the network, and inside attention if it has a name."""
    heads = c.attention_heads
    layer = Layer(
        Attention(
            heads,
            heads,
            exact_div(c.embed_dim, heads, "text_config.embed_dim / attention_heads"),
            out="out_proj",
            bias=True,
            out_bias=True,
            upcast="softmax" if query_scaled else "",
            scaled=not query_scaled,
            query_scaled=query_scaled,
            masked=True,
            dropout=c.attention_dropout,
            out_norm=inner_norm,
        ),
        Mlp(
            c.ffn_dim,
            ACTIVATIONS[c.activation_function],
            gated=False,
            module="ffn",
            up="fc1",
            down="fc2",
            bias=True,
            dropout=c.activation_dropout,
            norm="ffn_layernorm",
            norm_kind=NORM,
        ),
        NORM,
        attention_norm="self_attn_layer_norm",
        mlp_norm="final_layer_norm",
        dropout=c.dropout,
    )
    return Decoder(
        c.vocab_size,
        c.embed_dim,
        layer,
        c.layers,
        embedding_scaled=True,
        embedding_dropout=c.dropout,
        positions=Positions("embed_positions", c.max_position_embeddings + SPARE, computed=True),
        norm="layer_norm",
        norm_kind=NORM,
    )


def compose(config: Kosmos2Config, root: str) -> Composition:
    """Returns the decoder, and the learned queries that stand for an image in its text."""
    c, vision = config.text, config.vision

    def rows(workload: Workload, b: Builder) -> Value:
        images = of_images(workload)
        with b.scope("vision_model.model"):
            x = clip.image_states(vision, images, b, "vision_config.image_size")[vision.num_hidden_layers]
            with b.turn(0):  # of the pooled token, which nothing reads
                layer_norm(b, "post_layernorm", b.apply("select", x, name="first", dim=1))
            with b.turn(1):
                x = layer_norm(b, "post_layernorm", x)
        x = unit_rows(b, x)
        with b.scope("image_to_text_projection"):
            return read(
                b,
                images,
                x,
                config.latent_query_num,
                c.embed_dim,
                c.attention_heads,
                dropout=c.attention_dropout,
                query_scaled=False,
                upcast=False,
            )

    tied = config.tie_word_embeddings or c.tie_word_embeddings
    return Composition(described(c), (Part("images", rows),), "text_model.model", "text_model.lm_head", tied=tied)


ARCHITECTURE = attrs.evolve(
    composition(
        "kosmos-2",
        Kosmos2Config,
        compose,
        PresetFiles(__file__),
        classes=CLASSES,
        image_size=lambda config: config.vision.image_size,
        no_cost=dict.fromkeys(("layerdrop", "init_std", "scale_embedding")),
        doc="Kosmos-2: learned queries read a CLIP tower, and stand in a decoder's text.",
    ),
    sizes={
        "seq_len": lambda config: config.text.max_position_embeddings,
        "images": lambda config: 1,
        "image_size": lambda config: config.vision.image_size,
    },
    inexact=None,
    dtype="float32",
)
