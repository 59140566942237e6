"""ConvBERT: half of each layer's heads are convolutions whose kernels each token makes for its own span.

Jiang et al., 2020 (arXiv:2008.02496).
"""

from __future__ import annotations

from functools import partial

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    exact_div,
    fields,
    floor_div,
    frozen,
)
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Head
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder, of_first, of_spans, of_tokens
from graphacct_architectures.encoders.parts.layer import core
from graphacct_architectures.layers import activation, linear, split_heads

MODEL, MASKED = "ConvBertModel", "ConvBertForMaskedLM"
SEQUENCE, TOKENS = "ConvBertForSequenceClassification", "ConvBertForTokenClassification"
SPANS, CHOICE = "ConvBertForQuestionAnswering", "ConvBertForMultipleChoice"


@frozen(kw_only=True)
class ConvBertConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, MASKED, SEQUENCE, TOKENS, SPANS, CHOICE))
    embedding_size: Dim = fields.size(768)
    head_ratio: Dim = fields.size(2)
    conv_kernel_size: Dim = fields.size(9)
    num_groups: Dim = fields.size(1)

    @property
    def heads(self) -> Dim:
        """How many heads attend; the others are convolutions."""
        left = floor_div(self.num_attention_heads, self.head_ratio)
        return 1 if equal(left, 0) else left


def describe(config: ConvBertConfig) -> Encoder:
    """Returns the encoder alone, or with its class's head. Raises ConfigError for attention to another model."""
    if config.add_cross_attention:
        raise ConfigError("add_cross_attention is True: ConvBERT as a decoder beside an encoder is not modelled")
    name = config.architectures
    words = Head(
        "generator_predictions.dense",
        config.embedding_size,
        "gelu",
        "generator_predictions.LayerNorm",
        "generator_lm_head",
        config.vocab_size,
        tied=config.tie_word_embeddings,
    )
    classifiers = {
        SEQUENCE: of_first(config, ACTIVATIONS[config.hidden_act]),
        TOKENS: of_tokens(config),
        SPANS: of_spans(config),
        CHOICE: Classifier("classifier", 1, "last"),
    }
    return like_bert(
        config,
        "" if name == MODEL else "convbert",
        embedding_width=config.embedding_size,
        causal=False,
        crossed=False,
        types_sliced=True,
        written_out=True,
        head=words if name == MASKED else None,
        classifier=classifiers.get(name),
    )


def stream(config: ConvBertConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output."""
    x = embedded(e, workload, b)
    b.hold(x)
    if not equal(e.embedding_width, e.width):
        x = linear(b, e.projection, x, e.width)
    network = None if equal(config.num_groups, 1) else partial(grouped, config)
    return through(e, workload, b, x, attend=partial(attend, config), network=network)


def attend(
    config: ConvBertConfig, e: Encoder, workload: Workload, b: Builder, x: Value
) -> tuple[Value, tuple[Value, ...]]:
    """Returns the output of attention's heads beside that of the convolutions, and the weights."""
    heads, taps = config.heads, config.conv_kernel_size
    d_head = floor_div(floor_div(e.width, heads), 2)
    inner = heads * d_head
    batch, seq, _ = x.spec.shape
    with b.scope(e.names.attention):
        k, v = (linear(b, name, x, inner) for name in ("key", "value"))
        spans = separable(config, b, x, inner)
        q = linear(b, "query", x, inner)
        kernels = linear(b, "conv_kernel_layer", b.apply("mul", spans, q, name="conv_attn"), heads * taps)
        kernels = b.apply("reshape", kernels, name="kernels", shape=(batch * seq * heads, taps))
        kernels = b.apply("softmax", kernels, name="kernel_softmax")
        kernels = b.apply("reshape", kernels, name="kernel_columns", shape=(batch * seq * heads, taps, 1))
        y = linear(b, "conv_out_layer", x, inner)
        y = b.apply("contiguous", b.apply("permute", y, name="conv_channels", dims=(0, 2, 1)), name="conv_copied")
        around = floor_div(taps - 1, 2)
        y = b.apply("pad", y, name="conv_padded", padding=((around, around),))
        y = b.apply("unfold", y, name="windows", dimension=2, size=taps, step=1)
        y = b.apply("contiguous", y, name="windows_copied")
        y = b.apply("permute", y, name="windows_by_token", dims=(0, 2, 1, 3))
        y = b.apply("reshape", y, name="windows_of_heads", shape=(batch * seq * heads, d_head, taps))
        y = b.apply("matmul", y, kernels, name="convolved")
        y = b.apply("reshape", y, name="conv_out", shape=(batch, seq, inner))
        parts = (split_heads(b, part, heads, d_head, label) for part, label in ((q, "q"), (k, "k"), (v, "v")))
        attended, weights = core(e, workload, b, *parts)
        return b.apply("concat", attended, y, name="both", dim=2), weights


def separable(config: ConvBertConfig, b: Builder, x: Value, inner: Dim) -> Value:
    """Returns a convolution of each channel, then of all channels of a token, (batch, seq, inner)."""
    width, taps = x.spec.shape[-1], config.conv_kernel_size
    with b.scope("key_conv_attn_layer"):
        y = b.apply("permute", x, name="channels_first", dims=(0, 2, 1))
        weight = b.parameter("depthwise.weight", (width, 1, taps))
        y = b.apply("convolution", y, weight, name="depthwise", padding=floor_div(taps, 2), groups=width)
        y = b.apply("convolution", y, b.parameter("pointwise.weight", (inner, width, 1)), name="pointwise")
        y = b.apply("add", y, b.parameter("bias", (inner, 1)), name="biased")
        return b.apply("permute", y, name="channels_last", dims=(0, 2, 1))


def grouped(config: ConvBertConfig, e: Encoder, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the output of a network whose projections have groups of features."""
    y = in_groups(b, e.names.up, x, e.inner, config.num_groups)
    y = activation(b, e.activation, y, e.names.act)
    return in_groups(b, e.names.down, y, e.width, config.num_groups)


def in_groups(b: Builder, name: str, x: Value, width: Dim, groups: Dim) -> Value:
    """Returns x projected to `width`, each group of features by itself."""
    batch, seq, given = x.spec.shape
    each = exact_div(given, groups, "features / num_groups")
    with b.scope(name):
        y = b.apply("reshape", x, name="grouped", shape=(batch * seq, groups, each))
        y = b.apply("permute", y, name="groups_first", dims=(1, 0, 2))
        weight = b.parameter("weight", (groups, each, exact_div(width, groups, "features / num_groups")))
        y = b.apply("permute", b.apply("matmul", y, weight, name="products"), name="groups_back", dims=(1, 0, 2))
        y = b.apply("reshape", y, name="together", shape=(batch, seq, width))
        return b.apply("add", y, b.parameter("bias", (width,)), name="biased")


ARCHITECTURE = encoder(
    "convbert",
    ConvBertConfig,
    describe,
    PresetFiles(__file__),
    doc="ConvBERT: attention beside convolutions of a token's own span, alone or with the head of a class.",
    configured=stream,
)
