"""DAC: convolutions over samples with a periodic activation, books of narrow vectors, and convolutions back.

Kumar et al., 2023 (arXiv:2306.06546).
"""

from __future__ import annotations

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
    ceil_div,
    check_dim,
    equal,
    fields,
    floor_div,
    frozen,
    has_value,
    minimum,
)
from graphacct_architectures.audio.parts.snake import snake
from graphacct_architectures.audio.parts.stem import convolution
from graphacct_architectures.derived import agree, derived
from graphacct_architectures.layers import embedding
from graphacct_architectures.losses import SUM_ALONE

MODEL = "DacModel"
DILATIONS = (1, 3, 9)
"""Of the blocks of a stage."""


def ratios() -> Any:
    """Returns the strides of the way back, or None: then they are the encoder's in reverse."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[Dim, ...] | None:
        if value is not None and (not isinstance(value, (list, tuple)) or not value):
            raise ConfigError(f"{field.name} is a list of strides, not {brief(value)}")
        return None if value is None else tuple(check_dim(item, field.name) for item in value)

    return fields.checked_field(check, None)


@frozen(kw_only=True)
class DacConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL,))
    encoder_hidden_size: Dim = fields.size(64)
    downsampling_ratios: tuple[Dim, ...] = fields.counts((2, 4, 8, 8))
    upsampling_ratios: tuple[Dim, ...] | None = ratios()
    decoder_hidden_size: Dim = fields.size(1536)
    hidden_size: Any = derived()
    n_codebooks: Dim = fields.size(9)
    codebook_size: Dim = fields.size(1024)
    codebook_dim: Dim = fields.size(8)
    sampling_rate: Dim = fields.size(16000)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        if has_value(self.codebook_size) and self.codebook_size & (self.codebook_size - 1):
            raise ConfigError(f"codebook_size is {self.codebook_size}: it must be a power of 2")
        agree("hidden_size", self.hidden_size, self.width)

    @property
    def strides(self) -> tuple[Dim, ...]:
        """The strides of the way back: the encoder's in reverse unless given."""
        return self.downsampling_ratios[::-1] if self.upsampling_ratios is None else self.upsampling_ratios

    @property
    def width(self) -> Dim:
        """The width of the encoder's rows."""
        return self.encoder_hidden_size * 2 ** len(self.downsampling_ratios)


def build(config: DacConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from samples (batch, 1, samples) to the samples (batch, samples) that are decoded again."""
    assert workload.samples is not None  # the architecture declares its default
    sound = b.input("input_values", (workload.batch, 1, workload.samples))
    with b.scope("encoder"):
        x = encoded(config, b, sound)
    with b.scope("quantizer"):
        x = quantized(config, b, x)
    with b.scope("decoder"):
        x = decoded(config, b, x)
    x = b.apply("reshape", x, name="one_channel", shape=(workload.batch, x.spec.shape[2]))
    kept = minimum(workload.samples, x.spec.shape[1])
    return b.apply("slice", x, name="cut", dim=1, start=0, length=kept)


def encoded(config: DacConfig, b: Builder, x: Value) -> Value:
    """Returns the rows (batch, width, positions) of samples; the builder is in the encoder's scope."""
    width = config.encoder_hidden_size
    x = convolution(b, "conv1", x, width, 7, padding=3)
    for index, stride in enumerate(config.downsampling_ratios):
        with b.scope(f"block.{index}"):
            x = units(b, x)
            width *= 2
            x = convolution(
                b, "conv1", snake(b, "snake1", x), width, 2 * stride, stride=stride, padding=ceil_div(stride, 2)
            )
    return convolution(b, "conv2", snake(b, "snake1", x), config.width, 3, padding=1)


def decoded(config: DacConfig, b: Builder, x: Value) -> Value:
    """Returns the samples (batch, 1, length) of rows; the builder is in the decoder's scope."""
    x = convolution(b, "conv1", x, config.decoder_hidden_size, 7, padding=3)
    for index, stride in enumerate(config.strides):
        width = floor_div(config.decoder_hidden_size, 2 ** (index + 1))
        with b.scope(f"block.{index}"):
            x = snake(b, "snake1", x)
            shape = (x.spec.shape[1], width, 2 * stride)
            weight, bias = b.parameter("conv_t1.weight", shape), b.parameter("conv_t1.bias", (width,))
            options: dict[str, Any] = {"stride": stride, "padding": ceil_div(stride, 2)}
            x = b.apply("convolution_transposed", x, weight, bias, name="conv_t1", **options)
            x = units(b, x)
    x = convolution(b, "conv2", snake(b, "snake1", x), 1, 7, padding=3)
    return b.apply("tanh", x, name="tanh")


def units(b: Builder, x: Value) -> Value:
    """Returns x after a stage's blocks."""
    for index, dilation in enumerate(DILATIONS, 1):
        with b.scope(f"res_unit{index}"):
            more: dict[str, Any] = {} if equal(dilation, 1) else {"dilation": dilation}
            y = snake(b, "snake1", x)
            y = convolution(b, "conv1", y, x.spec.shape[1], 7, padding=3 * dilation, **more)
            y = convolution(b, "conv2", snake(b, "snake2", y), x.spec.shape[1], 1)
            x = b.apply("add", x, y, name="residual")
    return x


def quantized(config: DacConfig, b: Builder, x: Value) -> Value:
    """Returns the sum of what stands for rows (batch, width, positions); the builder is in the quantizer's scope. The
    gradient of a book's output is that of its input, projected."""
    if type(config.n_codebooks) is not int:
        raise ConfigError("n_codebooks must be a number: each book reads what the ones before leave")
    total: Value | None = None
    for index in range(config.n_codebooks):
        with b.scope(f"quantizers.{index}"):
            found = one(config, b, x)
        total = found if total is None else b.apply("add", total, found, name=f"total_{index}")
        if index < config.n_codebooks - 1:
            x = b.apply("sub", x, found, name=f"residual_{index}")
    assert total is not None
    return total


def one(config: DacConfig, b: Builder, x: Value) -> Value:
    """Returns what a book has for rows: the vector of the same direction, projected back."""
    batch, width, count = x.spec.shape
    inner = config.codebook_dim
    narrow = convolution(b, "in_proj", x, inner, 1)
    rows = b.apply("permute", narrow, name="rows", dims=(0, 2, 1))
    rows = unit(b, "row", b.apply("reshape", rows, name="flat", shape=(batch * count, inner)))
    table = b.parameter("codebook.weight", (config.codebook_size, inner))
    codes = unit(b, "code", table)
    own = b.apply("sum", b.apply("square", rows, name="squares"), name="lengths", dim=1, keepdim=True)
    across = b.apply("transpose", codes, name="codes_across", dims=(0, 1))
    products = b.apply("matmul", b.apply("scale", rows, name="doubled"), across, name="products")
    others = b.apply("sum", b.apply("square", codes, name="codes_squares"), name="codes_lengths", dim=1)
    near = b.apply("add", b.apply("sub", own, products, name="differences"), others, name="distances")
    ids = b.apply("argmax", near, name="ids", dim=1)
    ids = b.apply("reshape", ids, name="ids_of_each", shape=(batch, count))
    found = embedding(b, "codebook", ids, config.codebook_size, inner)
    found = b.apply("transpose", found, name="channels_first", dims=(1, 2))
    error = b.apply("detach", b.apply("sub", found, narrow, name="error"), name="error_detached")
    return convolution(b, "out_proj", b.apply("add", narrow, error, name="passed"), width, 1)


def unit(b: Builder, name: str, x: Any) -> Value:
    """Returns rows of length 1."""
    length = b.apply("vector_norm", x, name=f"{name}_length", dim=1, keepdim=True)
    made: Value = b.apply("div", x, b.apply("clamp", length, name=f"{name}_least"), name=f"{name}_unit")
    return made


ARCHITECTURE = Architecture(
    "dac",
    DacConfig,
    build,
    PresetFiles(__file__),
    sizes={"samples": lambda config: config.sampling_rate},
    per_second={"samples": lambda config: config.sampling_rate},
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(("quantizer_dropout", "commitment_loss_weight", "codebook_loss_weight", "hop_length")),
    model_types=("dac",),
    losses=SUM_ALONE,
    doc="DAC: convolutions over samples with a periodic activation, books of narrow vectors, and convolutions back.",
)
