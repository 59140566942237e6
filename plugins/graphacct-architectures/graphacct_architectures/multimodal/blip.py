"""BLIP: a ViT, and BERT's layers that attend to what it saw, for captions, for how well a text fits, or for pairs.

Li et al., 2022 (arXiv:2201.12086). The library's class writes attention out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, differ, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.encoders.parts.description import Encoder, Head, Names
from graphacct_architectures.encoders.parts.encode import encode
from graphacct_architectures.layers import linear
from graphacct_architectures.losses import CROSS_ENTROPY, SUM, check_entropy, entropy_if, next_token, total
from graphacct_architectures.multimodal import blip2_vision
from graphacct_architectures.multimodal.clip import unit
from graphacct_architectures.residing import reside

CAPTIONS, PAIRS, FITS = "BlipForConditionalGeneration", "BlipModel", "BlipForImageTextRetrieval"
ANSWERS = "BlipForQuestionAnswering"


@frozen(kw_only=True)
class TextConfig:
    """The text model's keys that the cost depends on."""

    vocab_size: Dim = fields.size(30524)
    hidden_size: Dim = fields.size(768)
    intermediate_size: Dim = fields.size(3072)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(8)
    max_position_embeddings: Dim = fields.size(512)
    hidden_act: str = activation("gelu")
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    is_decoder: bool = fields.always(True)
    tie_word_embeddings: bool = fields.flag(True)


@frozen(kw_only=True)
class VisionConfig:
    """The tower's keys that the cost depends on; images have three channels."""

    hidden_size: Dim = fields.size(768)
    intermediate_size: Dim = fields.size(3072)
    num_hidden_layers: Dim = fields.size(12)
    num_attention_heads: Dim = fields.size(12)
    image_size: tuple[Dim, Dim] = fields.sides(384)
    patch_size: tuple[Dim, Dim] = fields.sides(16)
    hidden_act: str = activation("gelu")
    attention_dropout: float = fields.probability(0.0)
    qkv_bias: bool = fields.always(True)


@frozen(kw_only=True)
class BlipConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CAPTIONS, (CAPTIONS, PAIRS, FITS, ANSWERS))
    text_config: TextConfig | None = fields.nested(TextConfig, "blip")
    vision_config: VisionConfig | None = fields.nested(VisionConfig, "blip")
    projection_dim: Dim = fields.size(512)
    image_text_hidden_size: Dim = fields.size(256)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def text(self) -> TextConfig:
        """The text model."""
        return self.text_config or TextConfig()

    @property
    def vision(self) -> VisionConfig:
        """The tower."""
        return self.vision_config or VisionConfig()


def build(config: BlipConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from an image and a text to logits of words, to whether they fit, or to the similarities of
    each pair, by image and by text, and the two embeddings; or from a question and an answer to the answer's logits."""
    check_entropy(config.architectures in (CAPTIONS, ANSWERS), workload, config.architectures)
    one = workload.encoder_seq_len is None or not differ(workload.encoder_seq_len, workload.seq_len)
    if config.architectures != ANSWERS and not one and workload.phase != "decode":
        raise ConfigError(
            f"encoder_seq_len is {workload.encoder_seq_len}: {config.architectures} reads one text, leave "
            "encoder_seq_len out"
        )
    if config.architectures != CAPTIONS:
        if workload.logits == "last" or workload.phase in ("prefill", "decode"):
            raise ConfigError(f"{config.architectures} writes no text: its phases are forward and train")
        if config.architectures == ANSWERS:
            return answered(config, workload, b)
        return (compared if config.architectures == PAIRS else fitting)(config, workload, b)
    written = attrs.evolve(workload, attention="eager")
    if workload.phase == "decode":
        aside = Builder("image", b.operators, b.dtype)
        states = seen(config, workload, aside)[0]
        reside(b, aside.graph(states))
    else:
        states = seen(config, workload, b)[0]
        b.hold(states)
    inner = attrs.evolve(written, encoder_seq_len=states.spec.shape[1])
    with b.inside("text_decoder"):
        return encode(
            described(config, "bert", head=True, causal=True),
            inner,
            b,
            states=None if workload.phase == "decode" else states,
        )


def seen(config: BlipConfig, workload: Workload, b: Builder) -> tuple[Value, Value]:
    """Returns an image's tokens, normalized, and the first of them, normalized once more."""
    c = config.vision
    own = attrs.evolve(workload, attention="eager")
    with b.scope("vision_model"):
        x = blip2_vision.image_states(c, own, b, "vision_config.image_size")[c.num_hidden_layers]  # type: ignore[arg-type]
        return blip2_vision.pair(b, x)


def first_of(b: Builder, x: Value, name: str) -> Value:
    """Returns the first token, (batch, width)."""
    y: Value = b.apply("select", x, name=name, dim=1)
    return y


def answered(config: BlipConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the logits of an answer's words, `seq_len`, which read a question's, `encoder_seq_len`, that have read
    the image."""
    asking, width = config.text.hidden_size, config.vision.hidden_size
    if differ(asking, width):
        raise ConfigError(
            f"text_config.hidden_size is {asking} and vision_config.hidden_size {width}: the answer's layers read the "
            "question's with projections as wide as an image's tokens"
        )
    states = seen(config, workload, b)[0]
    own = attrs.evolve(workload, attention="eager")
    length = workload.seq_len if workload.encoder_seq_len is None else workload.encoder_seq_len
    with b.inside("text_encoder"):
        inner = attrs.evolve(own, seq_len=length, encoder_seq_len=states.spec.shape[1])
        question = encode(described(config, ""), inner, b, states=states)
    assert isinstance(question, Value)
    b.hold(question)
    with b.inside("text_decoder", "decoder_"):
        inner = attrs.evolve(own, encoder_seq_len=length)
        return encode(described(config, "bert", head=True, causal=True), inner, b, states=question)


def fitting(config: BlipConfig, workload: Workload, b: Builder) -> Value:
    """Returns whether each text fits its image, (batch, 2); the projections to compare both are in memory."""
    states = seen(config, workload, b)[0]
    b.hold(states)
    with b.inside("text_encoder"):
        inner = attrs.evolve(workload, attention="eager", encoder_seq_len=states.spec.shape[1])
        x = encode(described(config, ""), inner, b, states=states)
    assert isinstance(x, Value)
    aside = Builder("projections", b.operators, b.dtype)
    projections = [
        linear(aside, name, aside.input(f"{name}_input", (1, width)), config.image_text_hidden_size)
        for name, width in (("vision_proj", config.vision.hidden_size), ("text_proj", config.text.hidden_size))
    ]
    reside(b, aside.graph(*projections))
    return linear(b, "itm_head", first_of(b, x, "first"), 2)


def compared(config: BlipConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the similarities of each pair, and the two embeddings."""
    image = seen(config, workload, b)[1]
    with b.scope("text_model"):
        own = attrs.evolve(workload, attention="eager")
        made = encode(described(config, "", pooled=True), own, b)
    text = made[1] if isinstance(made, tuple) else made
    image = linear(b, "visual_projection", image, config.projection_dim, bias=False)
    text = linear(b, "text_projection", text, config.projection_dim, bias=False)
    image, text = unit(b, image, "image"), unit(b, text, "text")
    factor = b.apply("exp", b.parameter("logit_scale", ()), name="factor")
    by_text = b.apply("matmul", text, b.apply("transpose", image, name="images", dims=(0, 1)), name="similarity")
    by_text = b.apply("mul", by_text, factor, name="logits_per_text")
    by_image = b.apply("transpose", by_text, name="logits_per_image", dims=(0, 1))
    return by_image, by_text, text, image


def described(
    config: BlipConfig, module: str, *, head: bool = False, causal: bool = False, pooled: bool = False
) -> Encoder:
    """Returns the text model."""
    c = config.text
    words = Head(
        "cls.predictions.transform.dense",
        c.hidden_size,
        ACTIVATIONS[c.hidden_act],
        "cls.predictions.transform.LayerNorm",
        "cls.predictions.decoder",
        c.vocab_size,
        tied=config.tie_word_embeddings or c.tie_word_embeddings,
        bias="cls.predictions.bias",
    )
    return Encoder(
        c.vocab_size,
        c.hidden_size,
        c.intermediate_size,
        c.num_attention_heads,
        c.num_hidden_layers,
        ACTIVATIONS[c.hidden_act],
        c.max_position_embeddings,
        c.max_position_embeddings,
        counted=False,
        token_types=0,
        embedding_width=c.hidden_size,
        module=module,
        names=Names(),
        dropout=c.hidden_dropout_prob,
        attention_dropout=c.attention_probs_dropout_prob,
        pooled=pooled,
        head=words if head else None,
        causal=causal,
        crossed=True,
        written_out=True,
        cross_width=config.vision.hidden_size,
    )


LOSSES: Mapping[str, Any] = {
    CROSS_ENTROPY: next_token,
    SUM: lambda config, outputs, b: total(config, outputs[:1], b),
}
ARCHITECTURE = Architecture(
    "blip",
    BlipConfig,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.text.max_position_embeddings,
        "image_size": lambda config: config.vision.image_size,
        "encoder_seq_len": lambda config: None,
    },
    attention=("fused", "eager"),
    phases=("forward", "train", "prefill", "decode"),
    last_logits=True,
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(("label_smoothing", "num_channels", "encoder_hidden_size", "projection_dim")),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(config.architectures in (CAPTIONS, ANSWERS)),
    model_types=("blip",),
    doc="BLIP: a ViT, and BERT's layers that attend to what it saw.",
)
