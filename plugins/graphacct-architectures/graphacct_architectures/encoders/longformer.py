"""Longformer: RoBERTa's layers with attention in bands, for long texts.

Beltagy et al., 2020 (arXiv:2004.05150). Texts are padded to a multiple of the window. A classifier of texts gives its
first token global attention; classes for questions and choices give it to the question's tokens, which are not
counted.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import attrs

from graphacct import (
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    equal,
    fields,
    floor_div,
    frozen,
    has_value,
)
from graphacct_architectures.banded import Band, banded, padded_length, runs, widest, windows_of
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.family import encoder
from graphacct_architectures.encoders.parts.layer import head_width, layer
from graphacct_architectures.encoders.roberta import CAUSAL, CLASSES, RobertaConfig, of_class
from graphacct_architectures.encoders.roberta import SEQUENCE as TEXTS

ROBERTAS = {f"Longformer{name.removeprefix('Roberta')}": name for name in CLASSES if name != CAUSAL}
"""RoBERTa's class for each of Longformer's."""


def window() -> Any:
    """Returns the windows of layers: one for all, or a list."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Any:
        return tuple(windows_of(value, len(value))) if isinstance(value, (list, tuple)) else windows_of(value, 1)[0]

    return fields.checked_field(check, 512)


@frozen(kw_only=True)
class LongformerConfig(RobertaConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("LongformerModel", tuple(ROBERTAS))
    vocab_size: Dim = fields.size(30522)
    attention_window: Any = window()
    prefix: ClassVar[str] = "longformer"

    @property
    def last_dropout(self) -> float:
        """The dropout of a classifier's input."""
        return self.hidden_dropout_prob


def describe(config: LongformerConfig) -> Encoder:
    """Returns the encoder with its pooler, or with its class's head."""
    windows_of(config.attention_window, config.num_hidden_layers)
    return attrs.evolve(of_class(config, ROBERTAS[config.architectures]), causal=False, crossed=False, written_out=True)


def stream(config: LongformerConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output, without the padding. Raises ConfigError for a text longer than the table of
    positions."""
    seq = workload.seq_len
    assert seq is not None
    if has_value(seq) and has_value(e.usable) and seq > e.usable:
        raise ConfigError(f"seq_len {seq} is beyond the {e.usable} positions that the model has learned")
    windows = windows_of(config.attention_window, config.num_hidden_layers)
    length = padded_length(seq, widest(windows))
    ids = b.input("input_ids", (workload.batch, seq), "int64")
    if not equal(length, seq):
        ids = b.apply("pad", ids, name="input_ids_padded", padding=((0, length - seq),))
    inside = attrs.evolve(workload, seq_len=length)
    x = embedded(attrs.evolve(e, usable=length), inside, b, ids=ids)
    padded = b.apply("full", name="is_index_masked", shape=(workload.batch, length, 1, 1), dtype="bool")
    b.hold(x, padded)
    count = 1 if ROBERTAS[config.architectures] == TEXTS else 0
    for start, times, own in runs(windows, e.count):
        band = Band(e.heads, head_width(e), floor_div(own, 2), e.attention_dropout, count)
        body = partial(layer, e, inside, attend=partial(attend, band))
        x = b.repeat(e.names.stack, times, body, x, start=start, constants=(padded,))
    return x if equal(length, seq) else b.apply("slice", x, name="without_padding", dim=1, start=0, length=seq)


def attend(
    band: Band, e: Encoder, workload: Workload, b: Builder, x: Value, padded: Value
) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, heads side by side."""
    with b.scope(e.names.attention):
        return banded(band, workload, b, x, padded), ()


ARCHITECTURE = encoder(
    "longformer",
    LongformerConfig,
    describe,
    PresetFiles(__file__),
    doc="Longformer: RoBERTa's layers with attention in bands, alone or with the head of a class.",
    configured=stream,
    no_cost=dict.fromkeys(("sep_token_id", "onnx_export", "ignore_attention_mask")),
)
