"""Splinter: BERT's layers with a head that selects spans for each question.

Ram et al., 2021 (arXiv:2101.00438). In pretraining a text has as many questions as it has question tokens; one is
counted.
"""

from __future__ import annotations

from graphacct import Builder, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder
from graphacct_architectures.encoders.parts.layer import core, projected
from graphacct_architectures.layers import activation, layer_norm, linear

MODEL, SPANS, PRETRAINING = "SplinterModel", "SplinterForQuestionAnswering", "SplinterForPreTraining"
HEAD = "splinter_qass"


@frozen(kw_only=True)
class SplinterConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, SPANS, PRETRAINING))


def describe(config: SplinterConfig) -> Encoder:
    """Returns the encoder."""
    return like_bert(
        config, "" if config.architectures == MODEL else "splinter", causal=False, crossed=False, types_made=True
    )


def stream(config: SplinterConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output."""
    x = embedded(e, workload, b)
    b.hold(x)
    return through(e, workload, b, x, attend=attend)


def attend(e: Encoder, workload: Workload, b: Builder, x: Value) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, heads side by side, and with eager attention the weights, of a softmax in float32."""
    q, k, v = projected(e, b, x)
    with b.scope(e.names.attention):
        return core(e, workload, b, q, k, v, upcast=True)


def finished(
    config: SplinterConfig, workload: Workload, b: Builder, x: Value, pooled: Value | None
) -> tuple[Value, ...]:
    """Returns the logits of starts and of ends: products of a question's token with all tokens, each projected."""
    if config.architectures == MODEL:
        return ()
    batch, width = workload.batch, config.hidden_size
    asked = b.apply("constant", name="question_positions", shape=(batch, 1, 1), dtype="int64")
    asked = b.apply("repeat", asked, name="question_index", times=(1, 1, width))
    questions = b.apply("gather", x, asked, name="questions", dim=1)
    found = []
    with b.scope(HEAD):
        own = {end: transformed(b, f"query_{end}_transform", questions) for end in ("start", "end")}
        rows = {end: transformed(b, f"{end}_transform", x) for end in ("start", "end")}
        for end in ("start", "end"):
            y = linear(b, f"{end}_classifier", own[end], width, bias=False)
            keys = b.apply("permute", rows[end], name=f"{end}_columns", dims=(0, 2, 1))
            found.append(b.apply("matmul", y, keys, name=f"{end}_products"))
    if config.architectures == SPANS:
        found = [
            b.apply("select", x, name=f"{end}_logits", dim=1) for x, end in zip(found, ("start", "end"), strict=True)
        ]
    return tuple(found)


def transformed(b: Builder, name: str, x: Value) -> Value:
    """Returns x projected, activated and normalized."""
    with b.scope(name):
        y = activation(b, "gelu", linear(b, "dense", x, x.spec.shape[-1]), "act_fn")
        return layer_norm(b, "LayerNorm", y)


ARCHITECTURE = encoder(
    "splinter",
    SplinterConfig,
    describe,
    PresetFiles(__file__),
    doc="Splinter: BERT's layers, alone or with a head that selects spans.",
    configured=stream,
    finished=finished,
    always_scored=(SPANS, PRETRAINING),
    no_cost={"question_token_id": None},
)
