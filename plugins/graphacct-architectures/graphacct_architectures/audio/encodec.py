"""EnCodec: convolutions over samples, books of vectors that stand for rows, and convolutions back.

Défossez et al., 2022 (arXiv:2210.13438). The class encodes at the lowest of its bandwidths unless told otherwise, and
decodes what it has encoded: the first books are used, and all are in memory.
"""

from __future__ import annotations

from math import ceil, floor, log2
from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    brief,
    fields,
    frozen,
    has_value,
    minimum,
    prod,
)
from graphacct_architectures.audio.parts.codec import GROUP, WEIGHT, Seanet, decoded, encoded, seanet
from graphacct_architectures.decoders.parts.family import fraction
from graphacct_architectures.layers import resident
from graphacct_architectures.losses import SUM_ALONE

MODEL = "EncodecModel"


def numbers(default: tuple[float, ...]) -> Any:
    """Returns a key that is a list of positive numbers."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[float, ...]:
        items = value if isinstance(value, (list, tuple)) else ()
        if not items or not all(type(item) in (int, float) and 0 < item < 1e6 for item in items):
            raise ConfigError(f"{field.name} is a list of positive numbers, not {brief(value)}")
        return tuple(items)

    return fields.checked_field(check, default)


def optional_number() -> Any:
    """Returns a key that is a number from 0, or null."""

    def check(value: Any, field: attrs.Attribute[Any]) -> float | None:
        if value is not None and (type(value) not in (int, float) or not 0 <= value < 1e6):
            raise ConfigError(f"{field.name} is a number of at least 0, or null, not {brief(value)}")
        return None if value is None else float(value)

    return fields.checked_field(check, None)


@frozen(kw_only=True)
class EncodecConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL,))
    target_bandwidths: tuple[float, ...] = numbers((1.5, 3.0, 6.0, 12.0, 24.0))
    sampling_rate: Dim = fields.size(24000)
    audio_channels: Dim = fields.size(1)
    normalize: bool = fields.flag(False)
    chunk_length_s: float | None = optional_number()
    overlap: float | None = optional_number()
    hidden_size: Dim = fields.size(128)
    num_filters: Dim = fields.size(32)
    num_residual_layers: Dim = fields.size(1, minimum=0)
    upsampling_ratios: tuple[Dim, ...] = fields.counts((8, 5, 4, 2))
    norm_type: str = fields.choice(WEIGHT, (WEIGHT, GROUP))
    kernel_size: Dim = fields.size(7)
    last_kernel_size: Dim = fields.size(7)
    residual_kernel_size: Dim = fields.size(3)
    dilation_growth_rate: Dim = fields.size(2)
    use_causal_conv: bool = fields.flag(True)
    compress: Dim = fields.size(2)
    num_lstm_layers: Dim = fields.size(2)
    trim_right_ratio: float = fraction(1.0)
    codebook_size: Dim = fields.size(1024)
    codebook_dim: Dim | None = fields.optional_size()
    use_conv_shortcut: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if has_value(self.codebook_size) and self.codebook_size & (self.codebook_size - 1):
            raise ConfigError(f"codebook_size is {self.codebook_size}: it must be a power of 2")
        if not self.use_causal_conv and self.trim_right_ratio != 1:
            raise ConfigError(
                f"trim_right_ratio is {self.trim_right_ratio} and use_causal_conv false: only causal convolutions are "
                "trimmed"
            )

    @property
    def seanet(self) -> Seanet:
        """The convolutions."""
        return seanet(self, self.num_lstm_layers, self.norm_type)

    @property
    def books(self) -> tuple[int, int]:
        """How many books of vectors there are, and how many of them the lowest bandwidth uses."""
        size, rate, hop = self.codebook_size, self.sampling_rate, prod(self.upsampling_ratios)
        if not all(has_value(dim) for dim in (size, rate, hop)):
            raise ConfigError("codebook_size, sampling_rate, upsampling_ratios: integers, which say how many books")
        rows = ceil(rate / hop)
        count = int(1000 * self.target_bandwidths[-1] // (rows * ceil(log2(size))))
        used = int(max(1, floor(self.target_bandwidths[0] * 1000 / (log2(size) * rows))))
        return count, min(used, count)


def chunks(config: EncodecConfig, samples: Dim | None) -> list[tuple[Dim, Dim]]:
    """Returns where each chunk of a sound starts, and how long it is."""
    assert samples is not None  # the architecture declares its default
    if config.chunk_length_s is None:
        return [(0, samples)]
    if config.overlap is None:
        raise ConfigError("chunk_length_s is given and overlap null: chunks need an overlap")
    if type(samples) is not int or type(config.sampling_rate) is not int:
        raise ConfigError("samples is an integer where chunk_length_s is given: it says how many chunks there are")
    length = int(config.chunk_length_s * config.sampling_rate)
    step = max(1, int((1.0 - config.overlap) * length))
    found: list[tuple[Dim, Dim]] = [(start, min(length, samples - start)) for start in range(0, samples, step)]
    if len(found) > 1 and found[-2][1] != found[0][1]:
        raise ConfigError(f"overlap is {config.overlap}: chunks before the last that are cut off have no codes")
    return found


def build(config: EncodecConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from samples (batch, channels, samples) to the samples that are decoded again."""
    shape = (workload.batch, config.audio_channels, workload.samples)
    sound = b.input("input_values", shape)
    sound = b.apply("mul", sound, b.apply("full", name="padding_mask", shape=shape, dtype="bool"), name="unpadded")
    parts: list[Value] = []
    count: Dim = 0
    known = chunks(config, workload.samples)
    for index, (start, length) in enumerate(known):
        whole = len(known) == 1
        frame = sound if whole else b.apply("slice", sound, name=f"chunk_{index}", dim=2, start=start, length=length)
        if whole:
            parts.append(through(config, b, frame, index))
        else:
            with b.turn(index):
                parts.append(through(config, b, frame, index))
        count = start + parts[-1].spec.shape[2]
    unused(config, b)
    if config.chunk_length_s is not None:
        made: Value = overlapped(config, b, parts, known, count)
    else:
        made = parts[0]
    assert workload.samples is not None
    kept = minimum(workload.samples, made.spec.shape[2])
    return b.apply("slice", made, name="cut", dim=2, start=0, length=kept)


def through(config: EncodecConfig, b: Builder, x: Value, index: int) -> Value:
    """Returns a chunk (batch, channels, length) encoded and decoded."""
    scale: Value | None = None
    if config.normalize:
        mono = b.apply("scale", b.apply("sum", x, name="mono_sum", dim=1, keepdim=True), name="mono")
        power = b.apply("mean", b.apply("square", mono, name="power"), name="mean_power", dim=-1, keepdim=True)
        scale = b.apply("shift", b.apply("sqrt", power, name="volume"), name="scale")
        x = b.apply("div", x, scale, name="normalized")
    with b.scope("encoder"):
        x = encoded(config.seanet, b, x)
    with b.scope("quantizer"):
        x = quantized(config, b, x)
    with b.scope("decoder"):
        x = decoded(config.seanet, b, x)
    return x if scale is None else b.apply("mul", x, scale, name="louder")


def quantized(config: EncodecConfig, b: Builder, x: Value) -> Value:
    """Returns the sum of the books' vectors that stand for rows (batch, width, positions), in the same shape. No
    gradient passes the choice."""
    batch, width, positions = x.spec.shape
    residual, total = x, None
    for index in range(config.books[1]):
        with b.scope(f"layers.{index}"):
            rows = b.apply("permute", residual, name="rows", dims=(0, 2, 1))
            found = chosen(config, b, b.apply("reshape", rows, name="flat", shape=(batch * positions, width)))
            found = b.apply("reshape", found, name="found", shape=(batch, positions, width))
            found = b.apply("permute", found, name="channels_first", dims=(0, 2, 1))
            residual = b.apply("sub", residual, found, name="residual")
            total = found if total is None else b.apply("add", total, found, name="total")
    assert total is not None
    return total


def chosen(config: EncodecConfig, b: Builder, x: Value) -> Value:
    """Returns the nearest vectors of a book to rows x (rows, width)."""
    vectors, *rest = book(config, b)
    for parameter in rest:
        resident(b, parameter.name.rpartition(".")[2], parameter)
    own = b.apply("sum", b.apply("square", x, name="squares"), name="lengths", dim=1, keepdim=True)
    across = b.apply("transpose", vectors, name="codes_across", dims=(0, 1))
    products = b.apply("matmul", b.apply("scale", x, name="doubled"), across, name="products")
    others = b.apply("square", across, name="codes_squares")
    others = b.apply("sum", others, name="codes_lengths", dim=0, keepdim=True)
    near = b.apply("add", b.apply("sub", own, products, name="differences"), others, name="distances")
    ids = b.apply("argmax", b.apply("neg", near, name="nearness"), name="ids", dim=-1)
    return b.apply("embedding", ids, vectors, name="vectors")


def book(config: EncodecConfig, b: Builder) -> list[Any]:
    """Returns the tensors of a book: its vectors, and what its training counts."""
    width = config.hidden_size if config.codebook_dim is None else config.codebook_dim
    if has_value(width) and has_value(config.hidden_size) and width != config.hidden_size:
        raise ConfigError(f"codebook_dim is {width} and hidden_size {config.hidden_size}: a row's vector is as wide")
    shapes = {"embed": (config.codebook_size, width), "inited": (1,), "cluster_size": (config.codebook_size,)}
    shapes["embed_avg"] = shapes["embed"]
    return [b.parameter(f"codebook.{name}", shape, buffer=True) for name, shape in shapes.items()]


def unused(config: EncodecConfig, b: Builder) -> None:
    """Adds the books that the bandwidth does not use."""
    count, used = config.books
    for index in range(used, count):
        with b.scope(f"quantizer.layers.{index}"):
            resident(b, "codebook", *book(config, b))


def overlapped(config: EncodecConfig, b: Builder, parts: list[Value], known: list[Any], count: Dim) -> Value:
    """Returns chunks that overlap as one sound, each weighted by a triangle: sums in place."""
    batch, channels, _ = parts[0].spec.shape
    made = b.apply("full", name="sound", shape=(batch, channels, count), dtype=b.dtype)
    for index, (part, (start, _)) in enumerate(zip(parts, known, strict=True)):
        length = part.spec.shape[2]
        weights = b.apply("constant", name=f"triangle_{index}", shape=(length,), dtype=b.dtype)
        own = b.apply("mul", weights, part, name=f"weighted_{index}")
        here = b.apply("slice", made, name=f"place_{index}", dim=2, start=start, length=length)
        own = b.apply("add", here, own, name=f"added_{index}")
        made = b.apply("slice_scatter", made, own, name=f"sound_{index}", dim=2, start=start)
    return b.apply("div", made, b.apply("constant", name="weights", shape=(count,), dtype=b.dtype), name="averaged")


ARCHITECTURE = Architecture(
    "encodec",
    EncodecConfig,
    build,
    PresetFiles(__file__),
    sizes={"samples": lambda config: config.sampling_rate},
    per_second={"samples": lambda config: config.sampling_rate},
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost={"pad_mode": None},
    model_types=("encodec",),
    losses=SUM_ALONE,
    doc="EnCodec: convolutions over samples, books of vectors that stand for rows, and convolutions back.",
)
