"""The heads of waveform encoders: letters, classes of a sound or of each position, speakers, quantised features."""

from __future__ import annotations

from typing import Any

from graphacct import Builder, ConfigError, Dim, Value, Workload, equal, exact_div, frozen
from graphacct_architectures.audio.parts.encode import Streams
from graphacct_architectures.layers import dropped, linear, resident, weighted_sum


@frozen
class Delayed:
    """A time-delay network's convolutions over positions.

    Attributes:
        widths, kernels, dilations: Of each.
        outputs: The width of a speaker's vector.
    """

    widths: tuple[Dim, ...]
    kernels: tuple[Dim, ...]
    dilations: tuple[Dim, ...]
    outputs: Dim


@frozen
class Codes:
    """A quantiser: each feature is replaced by one of its vectors, in groups.

    Attributes:
        groups: The groups of a feature.
        count: The vectors of each group.
        width: The width of a feature's vectors together.
    """

    groups: Dim
    count: Dim
    width: Dim


def read(s: Streams, weighted: bool, b: Builder) -> Value:
    """Returns what a head reads: the last stream, or the sum of all layers' with a learned weight each."""
    return weighted_sum(b, s.states) if weighted else s.last


def letters(x: Value, outputs: Dim, dropout: float, workload: Workload, b: Builder) -> Value:
    """Returns the logits of each position for connectionist temporal classification."""
    return linear(b, "lm_head", dropped(b, "dropout", x, dropout, workload), outputs)


def classes(x: Value, width: Dim, labels: Dim, b: Builder) -> Value:
    """Returns the logits of a sound's classes, from the mean of a projection."""
    x = b.apply("mean", linear(b, "projector", x, width), name="pooled", dim=1)
    return linear(b, "classifier", x, labels)


def speakers(d: Delayed, x: Value, labels: Dim, b: Builder) -> Value:
    """Returns the logits of a speaker's vector, from the mean and the deviation of the network's output. The weights of
    its loss are in memory, unread without labels."""
    check_lengths(d)
    x = linear(b, "projector", x, d.widths[0])
    before = d.widths[0]
    for index, (width, kernel, dilation) in enumerate(zip(d.widths, d.kernels, d.dilations, strict=True)):
        x = delayed(f"tdnn.{index}", x, before, width, kernel, dilation, b)
        before = width
    mean, deviation = (b.apply(kind, x, name=f"{kind}_features", dim=1) for kind in ("mean", "std"))
    x = b.apply("concat", mean, deviation, name="statistics", dim=-1)
    x = linear(b, "classifier", linear(b, "feature_extractor", x, d.outputs), d.outputs)
    resident(b, "objective.unread", b.parameter("objective.weight", (d.outputs, labels)))
    return x


def check_lengths(d: Delayed) -> None:
    """Raises ConfigError unless every convolution has a width, a kernel and a dilation."""
    for key, found in (("tdnn_kernel", d.kernels), ("tdnn_dilation", d.dilations)):
        if len(found) != len(d.widths):
            raise ConfigError(f"{key} has {len(found)} values and tdnn_dim {len(d.widths)}: one for each convolution")


def delayed(name: str, x: Value, before: Dim, width: Dim, kernel: Dim, dilation: Dim, b: Builder) -> Value:
    """Returns x (batch, positions, before) after one convolution, whose weight is kept as a projection's."""
    with b.scope(name):
        x = b.apply("transpose", x, name="channels_first", dims=(1, 2))
        weight = b.apply(
            "reshape",
            b.parameter("kernel.weight", (width, before * kernel)),
            name="weight_of_taps",
            shape=(width, kernel, before),
        )
        weight = b.apply("transpose", weight, name="weight_of_channels", dims=(1, 2))
        options: dict[str, Any] = {} if equal(dilation, 1) else {"dilation": dilation}
        x = b.apply("convolution", x, weight, b.parameter("kernel.bias", (width,)), name="conv", **options)
        x = b.apply("transpose", x, name="channels_last", dims=(1, 2))
        return b.apply("relu", x, name="activation")


def quantised(c: Codes, x: Value, workload: Workload, b: Builder) -> tuple[Value, Value]:
    """Returns the vectors that stand for features x (batch, positions, width), and their perplexity. In training a
    choice is drawn with Gumbel's noise, and the gradient is the soft choice's; otherwise the best is chosen (Jang et
    al., 2016, arXiv:1611.01144)."""
    batch, seq, _ = x.spec.shape
    together = c.groups * c.count
    part = exact_div(c.width, c.groups, "codevector_dim / num_codevector_groups")
    rows = batch * seq
    with b.scope("quantizer"):
        vectors = b.parameter("codevectors", (1, together, part))
        scores = linear(b, "weight_proj", x, together)
        scores = b.apply("reshape", scores, name="scores", shape=(rows * c.groups, c.count))
        chosen = drawn(b, scores) if workload.phase == "train" else best(b, scores)
        soft = scores if workload.phase == "train" else chosen
        soft = b.apply("reshape", soft, name="choices", shape=(rows, c.groups, c.count))
        soft = b.apply("softmax", soft, name="soft_choices") if workload.phase == "train" else soft
        perplexity = perplexity_of(b, soft)
        chosen = b.apply("reshape", chosen, name="choice_of_rows", shape=(rows, together, 1))
        x = b.apply("mul", chosen, vectors, name="chosen_vectors")
        x = b.apply("reshape", x, name="vectors_of_groups", shape=(rows, c.groups, c.count, part))
        x = b.apply("sum", x, name="vectors_summed", dim=-2)
        return b.apply("reshape", x, name="quantized", shape=(batch, seq, c.width)), perplexity


def drawn(b: Builder, scores: Value) -> Value:
    """Returns a choice in each row that is drawn: one in the best place, with the soft choice's gradient."""
    noise = b.apply("random", name="noise", shape=scores.spec.shape, dtype=scores.spec.dtype)
    noise = b.apply("neg", b.apply("log", noise, name="noise_log"), name="gumbels")
    noisy = b.apply("scale", b.apply("add", scores, noise, name="noisy"), name="tempered")
    soft = b.apply("softmax", noisy, name="soft")
    hard = best(b, soft, "hard")
    hard = b.apply("sub", hard, b.apply("detach", soft, name="soft_detached"), name="hard_less_soft")
    return b.apply("add", hard, soft, name="drawn_choice")


def best(b: Builder, scores: Value, name: str = "best") -> Value:
    """Returns one in the best place of each row, zero elsewhere."""
    index = b.apply("argmax", scores, name=f"{name}_index", dim=-1)
    one = b.apply("one_hot", index, name=f"{name}_ones", classes=scores.spec.shape[-1])
    return b.apply("cast", one, name=f"{name}_choice", dtype=scores.spec.dtype)


def perplexity_of(b: Builder, choices: Value) -> Value:
    """Returns the perplexity of the mean choice, summed over groups."""
    mean = b.apply("mean", choices, name="mean_choice", dim=0)
    parts = b.apply("mul", mean, b.apply("log", mean, name="mean_log"), name="information")
    entropy = b.apply("neg", b.apply("sum", parts, name="information_summed", dim=-1), name="entropy")
    perplexity: Value = b.apply("sum", b.apply("exp", entropy, name="perplexities"), name="perplexity")
    return perplexity
