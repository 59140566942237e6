"""FNet: BERT's layers with Fourier transforms in place of attention.

Lee-Thorp et al., 2021 (arXiv:2105.03824).
"""

from __future__ import annotations

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.activations import activation
from graphacct_architectures.encoders.bert import CAUSAL, CLASSES, BertConfig, of_class
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import encoder
from graphacct_architectures.encoders.parts.layer import feed_forward, networked
from graphacct_architectures.layers import dropped, layer_norm, linear

BERTS = {f"FNet{name.removeprefix('Bert')}": name for name in CLASSES if name != CAUSAL}
"""BERT's class for each of FNet's."""


@frozen(kw_only=True)
class FNetConfig(BertConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("FNetModel", tuple(BERTS))
    vocab_size: Dim = fields.size(32000)
    hidden_act: str = activation("gelu_new")
    type_vocab_size: Dim = fields.size(4)
    use_tpu_fourier_optimizations: bool = fields.flag(False)

    @property
    def last_dropout(self) -> float:
        """The dropout of a classifier's input."""
        return self.hidden_dropout_prob


def describe(config: FNetConfig) -> Encoder:
    """Returns the encoder with its pooler, which every class has, and its class's heads.

    Raises ConfigError for transforms as products."""
    if config.use_tpu_fourier_optimizations:
        raise ConfigError(
            "use_tpu_fourier_optimizations is True: transforms as products of matrices are not modelled; add "
            "--set use_tpu_fourier_optimizations=false"
        )
    found = of_class(attrs.evolve(config, num_attention_heads=1), BERTS[config.architectures])
    module = "" if config.architectures == "FNetModel" else "fnet"
    return attrs.evolve(found, module=module, causal=False, crossed=False, types_sliced=True, pooled=True)


def stream(config: FNetConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output."""
    x = embedded(attrs.evolve(e, dropout=0.0), workload, b)
    with b.scope("embeddings"):
        x = dropped(b, "dropout", linear(b, "projection", x, e.width), e.dropout, workload)
    b.hold(x)
    return through(e, workload, b, x, body=layer)


def layer(e: Encoder, workload: Workload, b: Builder, x: Value) -> Value:
    """Applies the transform over tokens and features, of which the real part is kept, then the network."""
    b.hold(x)
    with b.scope("fourier.self"):
        y = b.apply("cast", x, name="complex", dtype="complex64")
        y = b.apply("fft_c2c", y, name="transform", dim=(1, 2))
        y = b.apply("select", b.apply("view_as_real", y, name="parts"), name="real", dim=-1, index=0)
        y = y if b.dtype == "float32" else b.apply("cast", y, name="real_as_computed", dtype=b.dtype)
    x = layer_norm(b, "fourier.output.LayerNorm", b.apply("add", x, y, name="fourier_residual"))
    return networked(e, workload, b, x, feed_forward)


ARCHITECTURE = encoder(
    "fnet",
    FNetConfig,
    describe,
    PresetFiles(__file__),
    doc="FNet: BERT's layers with Fourier transforms for attention, alone or with the head of a class.",
    configured=stream,
    no_cost={"tpu_short_seq_length": None},
)
