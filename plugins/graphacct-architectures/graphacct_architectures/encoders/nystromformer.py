"""Nystromformer: BERT's layers whose attention goes through landmarks, with a convolution of the values.

Xiong et al., 2021 (arXiv:2102.03902). With as many landmarks as `segment_means_seq_len` attention is written in full.
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
    differ,
    exact_div,
    fields,
    floor_div,
    frozen,
    same,
)
from graphacct_architectures.activations import activation
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.embeddings import embedded
from graphacct_architectures.encoders.parts.encode import through
from graphacct_architectures.encoders.parts.family import EncoderConfig, encoder
from graphacct_architectures.encoders.parts.layer import projected
from graphacct_architectures.encoders.parts.two_beyond import classes, like_nystromformer
from graphacct_architectures.layers import merge_heads

STEM = "Nystromformer"
ROUNDS = 6
"""Steps of the inverse's approximation."""


@frozen(kw_only=True)
class NystromformerConfig(EncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class("NystromformerModel", classes(STEM))
    vocab_size: Dim = fields.size(30000)
    hidden_act: str = activation("gelu_new")
    max_position_embeddings: Dim = fields.size(510)
    segment_means_seq_len: Dim = fields.size(64)
    num_landmarks: Dim = fields.size(64)
    conv_kernel_size: Dim | None = fields.optional_size(65)

    @property
    def last_dropout(self) -> float:
        """The dropout of a classifier's input."""
        return self.hidden_dropout_prob


def describe(config: NystromformerConfig) -> Encoder:
    """Returns the encoder alone, or with its class's head."""
    return like_nystromformer(config, STEM, "nystromformer")


def stream(config: NystromformerConfig, e: Encoder, workload: Workload, b: Builder) -> Value:
    """Returns the last layer's output. Raises ConfigError for a text of another length than the landmarks are of."""
    whole = same(config.num_landmarks, config.segment_means_seq_len)
    if not whole and differ(workload.seq_len, config.segment_means_seq_len):
        raise ConfigError(
            f"seq_len is {workload.seq_len}: landmarks are means of a text of segment_means_seq_len "
            f"{config.segment_means_seq_len}"
        )
    x = embedded(e, workload, b)
    b.hold(x)
    return through(e, workload, b, x, attend=partial(attend, config))


def attend(
    config: NystromformerConfig, e: Encoder, workload: Workload, b: Builder, x: Value
) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, heads side by side."""
    q, k, v = projected(e, b, x)
    with b.scope(e.names.attention):
        q, k = (b.apply("scale", part, name=f"{label}_scaled") for part, label in ((q, "q"), (k, "k")))
        b.hold(q, k, v)
        if same(config.num_landmarks, config.segment_means_seq_len):
            y = b.apply("matmul", softmax_of(b, q, k, "scores"), v, name="values")
        else:
            y = by_landmarks(config, b, q, k, v)
        if config.conv_kernel_size is not None:
            taps = config.conv_kernel_size
            weight = b.parameter("conv.weight", (e.heads, 1, taps, 1))
            own = b.apply("convolution", v, weight, name="conv", padding=(floor_div(taps, 2), 0), groups=e.heads)
            y = b.apply("add", y, own, name="with_conv")
        return merge_heads(b, y), ()


def softmax_of(b: Builder, q: Value, k: Value, name: str) -> Value:
    """Returns the weights of keys for queries."""
    keys = b.apply("transpose", k, name=f"{name}_k_last", dims=(-2, -1))
    return b.apply("softmax", b.apply("matmul", q, keys, name=name), name=f"{name}_softmax")


def by_landmarks(config: NystromformerConfig, b: Builder, q: Value, k: Value, v: Value) -> Value:
    """Returns the values through landmarks: the means of parts of the text, and the inverse of their own weights."""
    batch, heads, _, d_head = q.spec.shape
    count = config.num_landmarks
    each = exact_div(config.segment_means_seq_len, count, "segment_means_seq_len / num_landmarks")
    q_mean, k_mean = (
        b.apply(
            "mean",
            b.apply("reshape", part, name=f"{label}_parts", shape=(batch, heads, count, each, d_head)),
            name=f"{label}_landmarks",
            dim=-2,
        )
        for part, label in ((q, "q"), (k, "k"))
    )
    first = softmax_of(b, q, k_mean, "kernel_1")
    inverse = inverted(b, softmax_of(b, q_mean, k_mean, "kernel_2"))
    third = softmax_of(b, q_mean, k, "kernel_3")
    weights = b.apply("matmul", first, inverse, name="weights")
    return b.apply("matmul", weights, b.apply("matmul", third, v, name="landmark_values"), name="values")


def inverted(b: Builder, x: Value) -> Value:
    """Returns an approximate inverse of matrices (batch, heads, landmarks, landmarks)."""
    size = x.spec.shape[-1]
    eye = b.apply("eye", name="identity", n=size, m=size, dtype="float32")
    y = b.apply("scale", b.apply("transpose", x, name="turned", dims=(-2, -1)), name="inverse_0")
    for index in range(1, ROUNDS + 1):
        both = b.apply("matmul", x, y, name=f"both_{index}")
        z = b.apply("sub", b.apply("scale", eye, name=f"seven_{index}"), both, name=f"seven_less_{index}")
        z = b.apply("matmul", both, z, name=f"inner_{index}")
        z = b.apply("sub", b.apply("scale", eye, name=f"fifteen_{index}"), z, name=f"fifteen_less_{index}")
        z = b.apply("matmul", both, z, name=f"outer_{index}")
        z = b.apply("sub", b.apply("scale", eye, name=f"thirteen_{index}"), z, name=f"thirteen_less_{index}")
        y = b.apply("matmul", b.apply("scale", y, name=f"quarter_{index}"), z, name=f"inverse_{index}")
    return y


ARCHITECTURE = encoder(
    "nystromformer",
    NystromformerConfig,
    describe,
    PresetFiles(__file__),
    doc="Nystromformer: attention through landmarks, alone or with the head of a class.",
    configured=stream,
    no_cost={"inv_coeff_init_option": (False,)},
)
