"""YOSO: BERT's layers whose weights are the chance that a query and a key have the same hash.

Zeng et al., 2021 (arXiv:2111.09714). With `use_expectation` that chance is computed, from a product of all queries with
all keys; hashing itself runs on a GPU alone.
"""

from __future__ import annotations

from functools import partial

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, floor_div, frozen
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder
from graphacct_architectures.encoders.parts.layer import projected
from graphacct_architectures.encoders.parts.two_beyond import classes, like_nystromformer
from graphacct_architectures.layers import merge_heads

STEM = "Yoso"


@frozen(kw_only=True)
class YosoConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("YosoModel", classes(STEM))
    vocab_size: Dim = fields.size(50265)
    max_position_embeddings: Dim = fields.size(4096)
    type_vocab_size: Dim = fields.size(1)
    use_expectation: bool = fields.flag(True)
    conv_window: Dim | None = fields.optional_size()

    @property
    def last_dropout(self) -> float:
        """The dropout of a classifier's input."""
        return self.hidden_dropout_prob


def describe(config: YosoConfig) -> Encoder:
    """Returns the encoder alone, or with its class's head. Raises ConfigError for hashing."""
    if not config.use_expectation:
        raise ConfigError("use_expectation is False: hashing is not modelled; add --set use_expectation=true")
    return like_nystromformer(config, STEM, "yoso")


def stream(config: YosoConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output."""
    x = embedded(e, workload, b)
    b.hold(x)
    return through(e, workload, b, x, attend=partial(attend, config))


def attend(config: YosoConfig, e: Encoder, workload: Workload, b: Builder, x: Value) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, heads side by side. Its weights are a power of one minus an angle."""
    q, k, v = projected(e, b, x)
    with b.scope(e.names.attention):
        q, k = (unit(b, part, label) for part, label in ((q, "q"), (k, "k")))
        b.hold(q, k, v)
        cosines = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="cosines")
        angles = b.apply("scale", b.apply("acos", cosines, name="angles"), name="angles_scaled")
        chances = b.apply("pow", b.apply("shift", angles, name="one_less"), name="chances", exponent=9.0)
        y = unit(b, b.apply("matmul", chances, v, name="values"), "values")
        if config.conv_window is not None:
            weight = b.parameter("conv.weight", (e.heads, 1, config.conv_window, 1))
            own = b.apply(
                "convolution", v, weight, name="conv", padding=(floor_div(config.conv_window, 2), 0), groups=e.heads
            )
            y = b.apply("add", y, own, name="with_conv")
        return merge_heads(b, y), ()


def unit(b: Builder, x: Value, label: str) -> Value:
    """Returns x with rows of length 1."""
    squares = b.apply("sum", b.apply("square", x, name=f"{label}_squares"), name=f"{label}_length", dim=-1)
    length = b.apply("reshape", squares, name=f"{label}_column", shape=(*x.spec.shape[:-1], 1))
    return b.apply("div", x, b.apply("sqrt", length, name=f"{label}_norm"), name=f"{label}_unit")


ARCHITECTURE = encoder(
    "yoso",
    YosoConfig,
    describe,
    PresetFiles(__file__),
    doc="YOSO: BERT's layers with weights by chances of equal hashes, alone or with the head of a class.",
    configured=stream,
    no_cost=dict.fromkeys(("hash_code_len", "num_hash", "use_fast_hash", "lsh_backward")),
)
