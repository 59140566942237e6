"""Kosmos-2.5: patches of a page of any shape, read by learned queries, which stand in the text of Kosmos-2's decoder.

Lv et al., 2023 (arXiv:2309.11419). `encoder_seq_len` is the number of patches of each image.
"""

from __future__ import annotations

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen, has_value
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import dropped, embedding, linear
from graphacct_architectures.multimodal import kosmos_2
from graphacct_architectures.multimodal.parts.compose import Composition, Part
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.images import of_images
from graphacct_architectures.multimodal.parts.latents import read, unit_rows
from graphacct_architectures.tower import Tower, tower

CLASSES = ("Kosmos2_5ForConditionalGeneration", "Kosmos2_5Model")
NORM = Norm(upcast="statistics")
KINDS = 2
"""A token is of the text or of an image."""


@frozen(kw_only=True)
class TextConfig(kosmos_2.TextConfig):
    """The decoder's keys that the cost depends on."""

    vocab_size: Dim = fields.size(108481)
    max_position_embeddings: Dim = fields.size(4096)
    embed_dim: Dim = fields.size(1536)
    ffn_dim: Dim = fields.size(6144)
    attention_heads: Dim = fields.size(16)
    attention_dropout: float = fields.probability(0.0)


@frozen(kw_only=True)
class VisionConfig:
    """The encoder's keys that the cost depends on."""

    hidden_size: Dim = fields.size(1536)
    patch_embed_hidden_size: Dim = fields.size(768)
    intermediate_size: Dim = fields.size(3968)
    head_dim: Dim = fields.size(64)
    num_hidden_layers: Dim = fields.size(18)
    num_attention_heads: Dim = fields.size(24)
    dense_act_fn: str = activation("gelu_new")
    dropout_rate: float = fields.probability(0.0)
    attention_dropout: float = fields.probability(0.0)
    max_num_patches: Dim = fields.size(4096)


@frozen(kw_only=True)
class Kosmos2_5Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    text_config: TextConfig | None = fields.nested(TextConfig, "kosmos-2.5")
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "kosmos-2.5")
    latent_query_num: Dim = fields.size(2048)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def text(self) -> TextConfig:
        """The decoder."""
        return self.text_config or TextConfig()

    @property
    def vision(self) -> VisionConfig:
        """The encoder."""
        return self.vision_config or VisionConfig()


def compose(config: Kosmos2_5Config, root: str) -> Composition:
    """Returns the decoder, and the learned queries that stand for an image in its text."""
    c = config.text

    def rows(workload: Workload, b: Builder) -> Value:
        images = of_images(workload)
        with b.scope("vision_model"):
            x = seen(config.vision, images, b)
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
                query_scaled=True,
                upcast=True,
            )

    def embedded(b: Builder, ids: Value, x: Value) -> Value:
        kinds = b.apply("constant", name="kinds", shape=ids.spec.shape, dtype="int64")
        with b.scope("text_model.model"):
            return b.apply("add", x, embedding(b, "segment_emb", kinds, KINDS, c.embed_dim), name="with_kinds")

    return Composition(
        kosmos_2.described(c, "", query_scaled=True),
        (Part("images", rows),),
        "text_model.model",
        "text_model.lm_head",
        tied=config.tie_word_embeddings or c.tie_word_embeddings,
        embedded=embedded,
    )


def seen(c: VisionConfig, workload: Workload, b: Builder) -> Value:
    """Returns the patches of all images (images, patches, width) after all layers, normalized. The library's class
    writes their attention out whatever is asked for."""
    batch, count, width = workload.batch, workload.encoder_seq_len, c.hidden_size
    assert count is not None  # the architecture declares its default
    if has_value(count) and has_value(c.max_num_patches) and count > c.max_num_patches:
        raise ConfigError(
            f"encoder_seq_len {count} is beyond vision_config.max_num_patches {c.max_num_patches}: fewer patches"
        )
    given = b.input("flattened_patches", (batch, count, c.patch_embed_hidden_size + 2))
    with b.scope("embeddings"):
        x = b.apply("slice", given, name="pixels", dim=2, start=2, length=c.patch_embed_hidden_size)
        x = linear(b, "patch_projection", x, width)
        for index, word in enumerate(("row", "column")):
            ids = b.apply("select", given, name=f"{word}_places", dim=2, index=index)
            ids = b.apply("cast", ids, name=f"{word}_ids", dtype="int64")
            x = b.apply("add", x, embedding(b, f"{word}_embedder", ids, c.max_num_patches, width), name=f"with_{word}")
        x = dropped(b, "dropout", x, c.dropout_rate, workload)
    kind = Tower(
        c.num_hidden_layers,
        c.num_attention_heads,
        Mlp(
            c.intermediate_size,
            ACTIVATIONS[c.dense_act_fn],
            gate="wi_0",
            up="wi_1",
            down="wo",
            dropout=c.dropout_rate,
        ),
        stack="layer",
        attention="attention",
        out="output",
        norms=("pre_attention_layer_norm", "pre_mlp_layer_norm"),
        bias=False,
        out_bias=False,
        attention_dropout=c.attention_dropout,
        d_head=c.head_dim,
        norm=NORM,
        qkv=("query", "key", "value"),
    )
    with b.scope("encoder"):
        mask = b.apply("constant", name="patches_mask", shape=(batch, 1, count, count), dtype=b.dtype)
        x = tower(kind, attrs.evolve(workload, attention="eager"), b, x, mask)
    return normed_by(b, "layernorm", x, NORM)


ARCHITECTURE = attrs.evolve(
    composition(
        "kosmos-2.5",
        Kosmos2_5Config,
        compose,
        PresetFiles(__file__),
        classes=CLASSES,
        image_size=None,
        no_cost=dict.fromkeys(("layerdrop", "init_std", "scale_embedding", "initializer_factor")),
        doc="Kosmos-2.5: learned queries read a page's patches, and stand in a decoder's text.",
    ),
    sizes={
        "seq_len": lambda config: config.text.max_position_embeddings,
        "images": lambda config: 1,
        "encoder_seq_len": lambda config: config.vision.max_num_patches,
    },
    inexact=None,
    dtype="float32",
)
