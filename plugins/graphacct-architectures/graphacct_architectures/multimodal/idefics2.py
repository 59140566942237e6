"""Idefics2: a SigLIP tower for images of any size, a gated network, learned rows that ask its tokens (a Perceiver
resampler), any decoder.

Laurençon et al., 2024 (arXiv:2405.02246); Jaegle et al., 2021 (arXiv:2103.03206).
"""

from __future__ import annotations

from collections.abc import Callable

from graphacct import Builder, Dim, PresetFiles, SubModel, Value, Workload, equal, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.cross import Asking, asked
from graphacct_architectures.multimodal.parts.family import ONE_TILE, composition
from graphacct_architectures.multimodal.parts.images import of_images
from graphacct_architectures.multimodal.parts.towers import looked, vision_model

CLASSES = ("Idefics2ForConditionalGeneration", "Idefics2Model")
TEXT = {"model_type": "mistral", "max_position_embeddings": 32768}
"""The text model of a file without one."""


@frozen(kw_only=True)
class PerceiverConfig:
    """The resampler's keys that the cost depends on; its width is the text's."""

    hidden_act: str = activation("silu")
    hidden_size: Dim = fields.size(4096)
    resampler_n_latents: Dim = fields.size(64)
    resampler_depth: Dim = fields.size(3)
    resampler_n_heads: Dim = fields.size(16)
    resampler_head_dim: Dim = fields.size(96)
    num_key_value_heads: Dim = fields.size(4)
    attention_dropout: float = fields.probability(0.0)


@frozen(kw_only=True)
class Idefics2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    vision_config: SubModel = vision_model("idefics2_vision", always=True)
    perceiver_config: PerceiverConfig | None = fields.nested(PerceiverConfig, "idefics2")
    text_config: SubModel = text_model("mistral", TEXT)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def compose(config: Idefics2Config, root: str) -> Composition:
    """Returns a decoder, and its images through the tower, a network and the resampler."""
    text = described(config.text_config)
    keys = config.text_config.config
    resampler = config.perceiver_config or PerceiverConfig()
    widened = Mlp(keys.intermediate_size, ACTIVATIONS[keys.hidden_act], module="modality_projection")

    def rows(workload: Workload, b: Builder) -> Value:
        images = of_images(workload)
        with b.scope(f"{root}vision_model"):
            (x,) = looked(config.vision_config, images, b)
        with b.scope(f"{root}connector"):
            with b.scope(widened.module):
                x = network(widened, b, x, text.width)
            with b.scope("perceiver_resampler"):
                return resampled(resampler, images, b, x)

    return Composition(text, (Part("images", rows),), f"{root}text_model", tied=config.tie_word_embeddings)


def network(m: Mlp, b: Builder, x: Value, width: Dim) -> Value:
    """Returns a gated network's output of another width than its input."""
    gate = linear(b, m.gate, x, m.width, bias=False)
    gate = b.apply(m.activation, gate, name=m.act)
    hidden = b.apply("mul", gate, linear(b, m.up, x, m.width, bias=False), name="gated")
    return linear(b, m.down, hidden, width, bias=False)


def resampled(c: PerceiverConfig, workload: Workload, b: Builder, seen: Value) -> Value:
    """Returns the learned rows after all layers, (images, rows, width); the builder is in the resampler's scope."""
    images, _, width = seen.spec.shape
    own = b.parameter("latents", (c.resampler_n_latents, width))
    x = b.apply("expand", own, name="latents_of_each", shape=(images, c.resampler_n_latents, width))
    b.hold(seen)
    body = layer(c, workload)
    with b.scope("layers.0"):  # its rows are views of one parameter, those of the others their own
        x = body(b, x, seen)
    if not equal(c.resampler_depth, 1):
        x = b.repeat("layers", c.resampler_depth - 1, body, x, constants=(seen,), start=1)
    return normed_by(b, "norm", x, Norm())


def layer(c: PerceiverConfig, workload: Workload) -> Callable[..., Value]:
    """Returns the body of a layer: the rows ask the tokens and one another, each normalized by a norm of its own."""
    attention = Asking(c.resampler_n_heads, c.num_key_value_heads, c.resampler_head_dim, dropout=c.attention_dropout)

    def body(b: Builder, x: Value, seen: Value) -> Value:
        rows = normed_by(b, "input_latents_norm", x, Norm())
        tokens = normed_by(b, "input_context_norm", seen, Norm())
        with b.scope("self_attn"):
            both = b.apply("concat", tokens, rows, name="seen", dim=-2)
            y = asked(attention, workload, b, rows, both)
        x = b.apply("add", x, y, name="attn_residual")
        y = normed_by(b, "post_attention_layernorm", x, Norm())
        with b.scope("mlp"):
            y = mlp(Mlp(4 * x.spec.shape[-1], ACTIVATIONS[c.hidden_act]), b, y)
        return b.apply("add", x, y, name="mlp_residual")

    return body


ARCHITECTURE = composition(
    "idefics2",
    Idefics2Config,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=lambda config: config.vision_config.config.image_size,
    sizes=ONE_TILE,
    doc="Idefics2: a SigLIP tower, a gated network, learned rows that ask its tokens, any decoder.",
)
