"""XLNet: layers with relative positions, whose scores compare contents, and queries with sinusoids of distances.

Yang et al., 2019 (arXiv:1906.08237). What runs is the stream of contents; the stream of queries runs only where a
permutation is given, as in pretraining. Texts are longer than a batch's dimension: tokens come first.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import attrs

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    differ,
    exact_div,
    fields,
    floor_div,
    frozen,
    has_value,
)
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.classifier import Classifier, classified, scored, token
from graphacct_architectures.encoders.electra import SUMMARIES
from graphacct_architectures.encoders.parts.family import built
from graphacct_architectures.layers import activation as act
from graphacct_architectures.layers import dropped, layer_norm, linear, resident
from graphacct_architectures.losses import CROSS_ENTROPY, SUM, cross_entropy, span, total

MODEL, LM = "XLNetModel", "XLNetLMHeadModel"
SEQUENCE, TOKENS = "XLNetForSequenceClassification", "XLNetForTokenClassification"
SPANS, CHOICE = "XLNetForQuestionAnsweringSimple", "XLNetForMultipleChoice"
TABLE = "word_embedding"


@frozen(kw_only=True)
class XLNetConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, LM, SEQUENCE, TOKENS, SPANS, CHOICE))
    vocab_size: Dim = fields.size(32000)
    d_model: Dim = fields.size(1024)
    n_layer: Dim = fields.size(24)
    n_head: Dim = fields.size(16)
    d_head: Dim | None = fields.optional_size()
    d_inner: Dim = fields.size(4096)
    ff_activation: str = activation("gelu")
    attn_type: str = fields.choice("bi", ("bi", "uni"))
    bi_data: bool = fields.flag(False)
    dropout: float = fields.probability(0.1)
    summary_type: str = fields.choice("last", tuple(SUMMARIES))
    summary_use_proj: bool = fields.flag(True)
    summary_activation: str | None = fields.choice("tanh", ("tanh",))
    summary_last_dropout: float = fields.probability(0.1)
    num_labels: Dim = fields.label_count()
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def width(self) -> Dim:
        """The width of a head. Raises ConfigError if the file states another."""
        found = exact_div(self.d_model, self.n_head, "d_model / n_head")
        if self.d_head is not None and differ(self.d_head, found):
            raise ConfigError(f"d_head is {self.d_head}, and d_model / n_head {found}: the class takes them as equal")
        return found


def classifier(config: XLNetConfig) -> Classifier | None:
    """Returns the class's classifier, or None."""
    name = config.architectures
    if name in (SEQUENCE, CHOICE):
        return Classifier(
            "logits_proj",
            config.num_labels if name == SEQUENCE else 1,
            SUMMARIES[config.summary_type],
            dense="sequence_summary.summary" if config.summary_use_proj else "",
            width=config.d_model,
            activation=config.summary_activation or "",
            dropout=config.summary_last_dropout,
        )
    found = {
        TOKENS: Classifier("classifier", config.num_labels),
        SPANS: Classifier("qa_outputs", config.num_labels, spans=True),
    }
    return found.get(name)


def build(config: XLNetConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from token ids to the last layer's output, or to the class's logits."""
    module = "" if config.architectures == MODEL else "transformer"
    with b.scope(module):
        x = stream(config, workload, b)
    b.hold(x)
    if config.architectures == LM:
        tied = f"{module}.{TABLE}.weight" if config.tie_word_embeddings else ""
        return linear(b, "lm_loss", x, config.vocab_size, tied_to=tied)
    found = classifier(config)
    return x if found is None else classified(found, workload, b, token(b, x, found.reads))


def stream(config: XLNetConfig, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output (batch, seq, width)."""
    batch, seq, width = workload.batch, workload.seq_len, config.d_model
    assert seq is not None
    ids = b.input("input_ids", (batch, seq), "int64")
    ids = b.apply("contiguous", b.apply("transpose", ids, name="ids_by_token", dims=(0, 1)), name="ids_copied")
    resident(b, "mask_emb", b.parameter("mask_emb", (1, 1, width)))
    x = b.apply("embedding", ids, b.parameter(f"{TABLE}.weight", (config.vocab_size, width)), name=TABLE)
    x = dropped(b, "dropout", x, config.dropout, workload)
    places = dropped(b, "pos_dropout", distances(config, workload, b), config.dropout, workload)
    mask: tuple[Value, ...] = ()
    if config.attn_type == "uni":
        mask = (b.apply("full", name="attn_mask", shape=(1, 1, seq, seq), dtype=b.dtype),)
    b.hold(x, places, *mask)
    x = b.repeat("layer", config.n_layer, partial(layer, config, workload), x, constants=(places, *mask))
    x = dropped(b, "last_dropout", x, config.dropout, workload)
    return b.apply("contiguous", b.apply("permute", x, name="by_text", dims=(1, 0, 2)), name="by_text_copied")


def distances(config: XLNetConfig, workload: Workload, b: Builder) -> Value:
    """Returns sinusoids of all distances between two tokens, (distances, batch, width)."""
    batch, seq, width = workload.batch, workload.seq_len, config.d_model
    assert seq is not None
    if config.bi_data and has_value(batch) and batch % 2:
        raise ConfigError(f"batch is {batch}: bi_data reads half of the texts backwards, so give an even number")
    count = 2 * seq if config.attn_type == "bi" else seq + 1
    places = b.apply("cast", b.apply("arange", name="pos_seq", n=count), name="pos_wide", dtype="float32")
    places = b.apply("reshape", places, name="pos_column", shape=(count, 1))
    rates = b.apply("full", name="inv_freq", shape=(1, exact_div(width, 2, "d_model / 2")), dtype="float32")
    angles = b.apply("mul", places, rates, name="sinusoids")
    both = [b.apply(function, angles, name=f"pos_{function}") for function in ("sin", "cos")]
    found = b.apply("concat", *both, name="pos_emb", dim=-1)
    found = b.apply("reshape", found, name="pos_rows", shape=(count, 1, width))
    if not config.bi_data:
        return b.apply("expand", found, name="pos_of_texts", shape=(count, batch, width))
    half = b.apply("expand", found, name="pos_of_half", shape=(count, floor_div(batch, 2), width))
    return b.apply("concat", half, half, name="pos_of_texts", dim=1)


def layer(config: XLNetConfig, workload: Workload, b: Builder, x: Value, places: Value, *mask: Value) -> Value:
    """Applies attention, then the network, to x (seq, batch, width); each output is added and normalized."""
    b.hold(x)
    with b.scope("rel_attn"):
        y = dropped(b, "dropout", attended(config, workload, b, x, places, mask), config.dropout, workload)
        x = layer_norm(b, "layer_norm", b.apply("add", y, x, name="residual"))
    b.hold(x)
    with b.scope("ff"):
        y = act(b, ACTIVATIONS[config.ff_activation], linear(b, "layer_1", x, config.d_inner), "activation_function")
        y = linear(b, "layer_2", dropped(b, "inner_dropout", y, config.dropout, workload), config.d_model)
        y = dropped(b, "dropout", y, config.dropout, workload)
        return layer_norm(b, "layer_norm", b.apply("add", y, x, name="residual"))


def attended(
    config: XLNetConfig, workload: Workload, b: Builder, x: Value, places: Value, mask: tuple[Value, ...]
) -> Value:
    """Returns attention's output (seq, batch, width)."""
    width, heads, d_head = config.d_model, config.n_head, config.width
    seq, batch, _ = x.spec.shape
    count = places.spec.shape[0]
    into = {name: b.parameter(name, (width, heads, d_head)) for name in "qkvor"}
    biases = {name: b.parameter(f"r_{name}_bias", (heads, d_head)) for name in "wrs"}
    resident(b, "seg_embed", b.parameter("seg_embed", (2, heads, d_head)))
    resident(b, "r_s_bias", biases["s"])
    if places.spec.dtype != b.dtype:
        places = b.apply("cast", places, name="places_as_computed", dtype=b.dtype)
    q, k, v = (b.apply("einsum", x, into[name], name=f"{name}_head", equation="ibh,hnd->ibnd") for name in "qkv")
    r = b.apply("einsum", places, into["r"], name="r_head", equation="ibh,hnd->ibnd")
    b.hold(q, k, v, r)
    pairs = (("w", k, "contents"), ("r", r, "places"))
    ac, bd = (
        b.apply(
            "einsum",
            b.apply("add", q, biases[name], name=f"q_{label}"),
            keys,
            name=f"{label}_scores",
            equation="ibnd,jbnd->bnij",
        )
        for name, keys, label in pairs
    )
    bd = b.apply("reshape", bd, name="shift_columns", shape=(batch, heads, count, seq))
    bd = b.apply("slice", bd, name="shift_cut", dim=2, start=1, length=count - 1)
    bd = b.apply("reshape", bd, name="shift_rows", shape=(batch, heads, seq, count - 1))
    near = b.apply("reshape", b.apply("arange", name="near_ids", n=seq), name="near", shape=(seq,))
    bd = b.apply("index_select", bd, near, name="shifted", dim=3)
    scores = b.apply("scale", b.apply("add", ac, bd, name="both_scores"), name="scale")
    if mask:
        hidden = b.apply("scale", mask[0], name="mask_scaled")
        scores = b.apply("sub", scores, hidden, name="masked")
    weights = dropped(b, "weights_dropout", b.apply("softmax", scores, name="softmax"), config.dropout, workload)
    y = b.apply("einsum", weights, v, name="values", equation="bnij,jbnd->ibnd")
    return b.apply("einsum", y, into["o"], name="output", equation="ibnd,hnd->ibh")


def has_logits(config: XLNetConfig) -> bool:
    """Returns whether a class has logits of words, of classes or of places in the text."""
    return config.architectures == LM or scored(classifier(config))


def loss(config: Any, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the cross-entropy of a span's ends, or of one target for each row of logits."""
    return (span if len(outputs) == 2 else cross_entropy)(config, outputs, b)


BASE = built(
    "xlnet",
    XLNetConfig,
    build,
    PresetFiles(__file__),
    has_logits,
    lambda config: 512,
    doc="XLNet: layers with relative positions, alone or with the head of a class.",
    aliases={
        "n_token": "vocab_size",
        "hidden_size": "d_model",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    },
    no_cost={
        **dict.fromkeys(("mem_len", "reuse_len", "use_mems_eval", "use_mems_train", "clamp_len", "same_length")),
        **dict.fromkeys(("start_n_top", "end_n_top", "initializer_range", "untie_r", "use_mems")),
    },
)
ARCHITECTURE = attrs.evolve(BASE, losses={CROSS_ENTROPY: loss, SUM: total})
