"""T5Gemma 2: Gemma 3's layers as an encoder of texts and images that sees both ways, and as a decoder whose one
attention sees its own tokens and the encoder's output.

Zhang et al., 2025 (arXiv:2512.14856).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    differ,
    equal,
    fields,
    floor_div,
    frozen,
    prod,
)
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.decoders.gemma import CENTRED
from graphacct_architectures.decoders.parts.attention import capped
from graphacct_architectures.decoders.parts.decode import After, decode, first_of
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.encoder_decoders.parts.crossed import STATES
from graphacct_architectures.encoder_decoders.parts.merged import masks, with_encoder
from graphacct_architectures.encoder_decoders.t5gemma import NORMS
from graphacct_architectures.layers import for_logits, linear
from graphacct_architectures.losses import CROSS_ENTROPY, SUM, check_entropy, entropy_if, own_cross_entropy, total
from graphacct_architectures.multimodal.gemma3 import kernel
from graphacct_architectures.multimodal.parts.compose import Part, check_places, check_towers, elements, merged
from graphacct_architectures.multimodal.parts.images import seen
from graphacct_architectures.multimodal.parts.projector import Normed, Pooled, Product
from graphacct_architectures.multimodal.parts.towers import vision_model
from graphacct_architectures.residing import reside

LM, MODEL = "T5Gemma2ForConditionalGeneration", "T5Gemma2Model"
SEQUENCE, TOKENS = "T5Gemma2ForSequenceClassification", "T5Gemma2ForTokenClassification"
WORDS = "embed_tokens.weight"
END = "embed_tokens.eoi_embedding"
"""The row of the token behind an image, which has a parameter of its own."""
AROUND = (
    ("pre_self_attn_layernorm", "post_self_attn_layernorm"),
    ("pre_feedforward_layernorm", "post_feedforward_layernorm"),
)


@frozen(kw_only=True)
class EncoderConfig:
    """The encoder's keys."""

    model_type: str = fields.choice("t5gemma2_encoder", ("t5gemma2_encoder", ""))
    text_config: SubModel = fields.model("gemma3_text", always=True)
    vision_config: SubModel = vision_model("siglip_vision_model")
    mm_tokens_per_image: Dim = fields.size(256)


@frozen(kw_only=True)
class T5Gemma2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL, SEQUENCE, TOKENS))
    encoder: EncoderConfig | None = fields.nested(EncoderConfig, "T5Gemma 2")
    decoder: SubModel = fields.model("gemma3_text", always=True)
    dropout_rate: float = fields.probability(0.0)
    attention_dropout: float = fields.probability(0.0)
    classifier_dropout_rate: float = fields.probability(0.0)
    tie_word_embeddings: bool = fields.flag(True)
    num_labels: Dim = fields.label_count()
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        for key in ("hidden_size", "vocab_size"):
            own, other = getattr(self.reading.text_config.config, key), getattr(self.decoder.config, key)
            if differ(own, other):
                raise ConfigError(f"encoder.text_config.{key} is {own}, decoder.{key} {other}: they have to agree")

    @property
    def reading(self) -> EncoderConfig:
        """The encoder."""
        return self.encoder or EncoderConfig()

    @property
    def scored(self) -> bool:
        """Whether its class has logits that a cross-entropy reads."""
        labelled = self.architectures in (SEQUENCE, TOKENS) and not equal(self.num_labels, 1)
        return self.architectures == LM or labelled

    @property
    def root(self) -> str:
        """How the names of both stacks' modules begin."""
        return "" if self.architectures == MODEL else "model."


def stack(config: T5Gemma2Config, own: SubModel, module: str, *, encoder: bool) -> Decoder:
    """Returns one of the two stacks, without a head."""
    d: Decoder = own.architecture.build.describe(own.config)
    assert isinstance(d.layer, tuple)

    def layer(kind: Layer) -> Layer:
        assert isinstance(kind.attention, Attention)
        assert isinstance(kind.feed_forward, Mlp)
        window = kind.attention.window
        reach = None if window is None else (floor_div(window + 1, 2) - 1, floor_div(window, 2))
        changes: dict[str, Any] = {"causal": False, "reach": reach} if encoder else {}
        kind = attrs.evolve(
            kind,
            attention=attrs.evolve(kind.attention, dropout=config.attention_dropout, **changes),
            feed_forward=attrs.evolve(kind.feed_forward, dropout=config.dropout_rate),
            dropout=config.dropout_rate,
            **NORMS,
        )
        return kind if encoder else with_encoder(kind, config.dropout_rate, AROUND)

    return attrs.evolve(
        d,
        layer=tuple(map(layer, d.layer)),
        module=f"{config.root}{module}",
        embedding_dropout=config.dropout_rate,
        last_dropout=config.dropout_rate,
        embedding_scaled=False,
        headless=True,
        classifier=None,
    )


def images(config: T5Gemma2Config, *, looks: bool) -> Part:
    """Returns the images of the encoder's texts; where it `looks` at none, an image has as many tokens as patches."""
    inside = config.reading
    tower = inside.vision_config
    if hasattr(tower.config, "attention_dropout"):
        tower = attrs.evolve(tower, config=attrs.evolve(tower.config, attention_dropout=config.attention_dropout))
    width = inside.text_config.config.hidden_size
    steps = (
        Pooled(kernel(inside) if looks else 1),  # type: ignore[arg-type]
        Normed("mm_soft_emb_norm", CENTRED),
        Product("mm_input_projection_weight", width),
    )
    return seen(tower, f"{config.root}encoder.", steps)


def entering(
    d: Decoder, tied: str, rows: Value | None, given: Mapping[str, Value], b: Builder, ids: Value, x: Value
) -> tuple[Value, Mapping[int, After], Mapping[str, Value]]:
    """Returns the scaled rows of tokens, that of an image's end from a parameter of its own and an image's tokens from
    `rows`, and what all layers are given."""
    width = x.spec.shape[-1]
    with b.scope(d.module):
        constant = b.apply("full", name="embed_scale", shape=(), dtype=x.spec.dtype)
        x = b.apply("mul", x, constant, name="embedding_scaled")
        end = b.apply("reshape", b.parameter(END, (width,), tied_to=tied), name="image_end_row", shape=(1, 1, width))
        ends = elements(b, b.apply("eq", ids, name="image_ends"), x, "image_ends")
        x = b.apply("where", ends, end, x, name="with_image_ends")
        if rows is not None:
            here = elements(b, b.apply("eq", ids, name="image_places"), x, "image_places")
            x = merged(b, x, rows, here, "images")
    return x, {}, given


def encoded(config: T5Gemma2Config, workload: Workload, b: Builder, part: Part | None) -> Value:
    """Returns the encoder's output of a text, with its images if there is a `part` for them."""
    phase = "train" if workload.phase == "train" else "forward"
    inside = attrs.evolve(workload, phase=phase, cache_len=None, seq_len=workload.encoder_seq_len)
    rows = None
    if part is not None:
        made = part.features(inside, b)
        assert isinstance(made, Value)
        rows = made
        check_places(workload, {"images": prod(rows.spec.shape[:-1])}, "encoder_seq_len")
        b.hold(rows)
    d = stack(config, config.reading.text_config, "encoder.text_model", encoder=True)
    return first_of(decode(d, inside, b, partial(entering, d, "", rows, {})))


def build(config: T5Gemma2Config, workload: Workload, b: Builder) -> Value:
    """Returns the graph from ids and images to logits, or to the last stream. A decoding step runs the decoder alone,
    since its cache has what it needs. Raises ConfigError for a classifier that writes text."""
    name = config.architectures
    check_entropy(config.scored, workload, name)
    check_towers(workload, {"images"})
    if name in (SEQUENCE, TOKENS) and (workload.phase in ("prefill", "decode") or workload.logits == "last"):
        raise ConfigError(f"{name} classifies: it has the phases forward and train, and all logits")
    if name == MODEL and workload.logits == "last":
        raise ConfigError(f"{name} has no logits of the vocabulary: leave logits='last' out")
    looks = workload.phase != "decode" and not equal(workload.images, 0)
    part = images(config, looks=looks)
    given: dict[str, Value] = {}
    aside = Builder("aside", b.operators, b.dtype)
    unseen: list[Value] = []
    if workload.phase == "decode":
        unseen.append(encoded(config, workload, aside, None))
    else:
        given[STATES] = encoded(config, workload, b, part if looks else None)
        b.hold(*given.values())
    if not looks:
        made = part.features(attrs.evolve(workload, images=1), aside)
        assert isinstance(made, Value)
        unseen.append(made)
    if unseen:
        reside(b, aside.graph(*unseen))
    return written(config, workload, b, given)


def written(config: T5Gemma2Config, workload: Workload, b: Builder, given: Mapping[str, Value]) -> Value:
    """Returns the decoder's outputs."""
    name, c = config.architectures, config.decoder.config
    owner = f"{config.root}encoder.text_model." if config.tie_word_embeddings else ""
    d = stack(config, config.decoder, "decoder", encoder=False)
    d = attrs.evolve(d, embedding_tied_to=owner and f"{owner}{WORDS}")
    if name in (SEQUENCE, TOKENS):
        rate, pooled = config.classifier_dropout_rate, name == SEQUENCE
        head = Classifier("score.out_proj", config.num_labels, dropout=rate, pooled=pooled)
        d = attrs.evolve(d, headless=False, classifier=head)
    assert isinstance(d.layer, tuple)
    windows = frozenset(kind.whole.settings.window for kind in d.layer if kind.whole is not None)
    with b.scope(d.module):
        tables = {**given, **masks(windows, workload, b)}
    with b.inside("", "decoder_"):
        x = first_of(decode(d, workload, b, partial(entering, d, owner and f"{owner}{END}", None, tables)))
    if name != LM:
        return x
    b.hold(x)
    x = linear(b, "lm_head.out_proj", for_logits(b, x, workload), c.vocab_size, bias=False, tied_to=d.embedding_tied_to)
    return capped(b, x, "logits") if c.final_logit_softcapping is not None else x


ARCHITECTURE = Architecture(
    "t5gemma2",
    T5Gemma2Config,
    build,
    PresetFiles(__file__),
    sizes={
        "seq_len": lambda config: config.decoder.config.max_position_embeddings,
        "encoder_seq_len": lambda config: None,
        "images": lambda config: 1,
        "image_size": lambda config: config.reading.vision_config.config.image_size,
    },
    attention=("fused", "eager"),
    phases=("forward", "train", "prefill", "decode"),
    last_logits=True,
    losses={CROSS_ENTROPY: own_cross_entropy, SUM: total},
    default_loss=lambda config: entropy_if(config.scored),
    dtype="bfloat16",
    aliases={"torch_dtype": "dtype", **fields.LABELS},
    no_cost=dict.fromkeys(
        (
            *("vocab_size", "label2id", "is_encoder_decoder", "image_token_index", "eoi_token_index", "image_token_id"),
            *("boi_token_index", "eoi_token_id", "boi_token_id", "bos_token_id", "pad_token_id", "eos_token_id"),
        )
    ),
    model_types=("t5gemma2",),
    doc="T5Gemma 2: Gemma 3's layers as an encoder of texts and images, and a decoder of one attention to both.",
)
