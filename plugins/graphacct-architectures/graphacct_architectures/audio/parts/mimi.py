"""The parts of Mimi: convolutions, layers of attention that see a window, and books of vectors in two groups."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

import attrs

from graphacct import Builder, ConfigError, Dim, Value, Workload, exact_div, fields, frozen, prod
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.audio.parts.codec import Seanet, convolution, decoded, encoded, seanet, transposed
from graphacct_architectures.audio.parts.stream import streamed
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.family import fraction, width_over_heads
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters

NORM = Norm(LAYER_NORM, bias=True)


def optional_rate() -> Any:
    """Returns a key that is a positive number, or null."""

    def check(value: Any, field: attrs.Attribute[Any]) -> float | None:
        if value is not None and (type(value) not in (int, float) or not 0 < value < 1e9):
            raise ConfigError(f"{field.name} is a positive number or null, not {value!r}")
        return None if value is None else float(value)

    return fields.checked_field(check, None)


@frozen(kw_only=True)
class MimiConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = ""
    sampling_rate: Dim = fields.size(24000)
    frame_rate: float | None = optional_rate()
    audio_channels: Dim = fields.size(1)
    hidden_size: Dim = fields.size(512)
    num_filters: Dim = fields.size(64)
    num_residual_layers: Dim = fields.size(1, minimum=0)
    upsampling_ratios: tuple[Dim, ...] = fields.counts((8, 6, 5, 4))
    kernel_size: Dim = fields.size(7)
    last_kernel_size: Dim = fields.size(3)
    residual_kernel_size: Dim = fields.size(3)
    dilation_growth_rate: Dim = fields.size(2)
    use_causal_conv: bool = fields.flag(True)
    compress: Dim = fields.size(2)
    trim_right_ratio: float = fraction(1.0)
    codebook_size: Dim = fields.size(2048)
    codebook_dim: Dim = fields.size(256)
    num_quantizers: Dim = fields.size(32)
    use_conv_shortcut: bool = fields.flag(False)
    vector_quantization_hidden_dimension: Dim = fields.size(256)
    num_semantic_quantizers: Dim = fields.size(1)
    upsample_groups: Dim = fields.size(512)
    num_hidden_layers: Dim = fields.size(8)
    intermediate_size: Dim = fields.size(2048)
    num_attention_heads: Dim = fields.size(8)
    num_key_value_heads: Dim = fields.size(8)
    head_dim: Dim | None = fields.optional_size()
    hidden_act: str = activation("gelu")
    max_position_embeddings: Dim = fields.size(8000)
    use_streaming: bool = fields.always(False)
    rope_parameters: Mapping[str, Any] = rope_parameters()
    sliding_window: Dim = fields.size(250)
    attention_dropout: float = fields.probability(0.0)
    attention_bias: bool = fields.flag(False)
    dtype: str | None = fields.dtype()

    @property
    def seanet(self) -> Seanet:
        """The convolutions."""
        return seanet(self)

    @property
    def stride(self) -> int:
        """How many rows of the convolutions one latent stands for. Raises ConfigError if none."""
        hop, rate = prod(self.upsampling_ratios), self.sampling_rate
        if type(hop) is not int or type(rate) is not int:
            raise ConfigError("sampling_rate and upsampling_ratios are integers: they say how long a row is")
        rows = ceil(rate / hop)
        rates = rate / (2 * hop) if self.frame_rate is None else self.frame_rate
        if rates == rows or int(rows / rates) < 1:
            raise ConfigError(
                f"frame_rate is {rates} and the convolutions make {rows} rows a second: the class needs fewer latents"
            )
        return int(rows / rates)


def transformer(config: MimiConfig) -> Decoder:
    """Returns the layers of attention, whose outputs are scaled."""
    d_head = width_over_heads(config) if config.head_dim is None else config.head_dim
    exact_div(config.num_attention_heads, config.num_key_value_heads, "num_attention_heads / num_key_value_heads")
    attention = Attention(
        config.num_attention_heads,
        config.num_key_value_heads,
        d_head,
        bias=config.attention_bias,
        out_bias=config.attention_bias,
        rotary=d_head,
        window=config.sliding_window,
        dropout=config.attention_dropout,
    )
    act = ACTIVATIONS[config.hidden_act]
    network = Mlp(config.intermediate_size, act, gated=False, up="fc1", down="fc2", bias=False)
    layer = Layer(attention, network, NORM, scales=("self_attn_layer_scale.scale", "mlp_layer_scale.scale"))
    tables = (("rotary_emb", d_head),)
    return Decoder(0, config.hidden_size, layer, config.num_hidden_layers, norm="", rotary_tables=tables)


def attended(config: MimiConfig, name: str, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns rows (batch, width, positions) after the layers of attention."""
    x = b.apply("transpose", x, name="positions_last", dims=(1, 2))
    with b.scope(name):
        x = streamed(transformer(config), workload, b, x)
    return b.apply("transpose", x, name="positions_first", dims=(1, 2))


def latents(config: MimiConfig, workload: Workload, b: Builder, sound: Value) -> Value:
    """Returns the latents (batch, width, count) of samples; the builder is in the encoder's scope."""
    with b.scope("encoder_seanet"):
        x = encoded(config.seanet, b, sound)
    x = attended(config, "encoder_transformer", workload, b, x)
    step = config.stride
    return convolution(config.seanet, b, "downsample", x, config.hidden_size, 2 * step, stride=step, bias=False)


def sound_of(config: MimiConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the samples of latents (batch, width, count); the builder is in the decoder's scope."""
    width, step, groups = config.hidden_size, config.stride, config.upsample_groups
    x = transposed(config.seanet, b, "upsample", x, width, 2 * step, step, groups=groups, bias=False)
    x = attended(config, "decoder_transformer", workload, b, x)
    with b.scope("decoder_seanet"):
        return decoded(config.seanet, b, x)


def quantized(config: MimiConfig, b: Builder, x: Value) -> Value:
    """Returns the vectors that stand for latents (batch, width, count): of a book of meaning, and of books of sound,
    each of what the ones before leave. No gradient passes the choice."""
    count, first = config.num_quantizers, config.num_semantic_quantizers
    if type(count) is not int or type(first) is not int or first >= count:
        raise ConfigError(f"num_semantic_quantizers is {first} and num_quantizers {count}: fewer than all of them")
    groups = {"semantic": first, "acoustic": count - first}
    inner = config.vector_quantization_hidden_dimension
    projected = inner != config.hidden_size
    chosen = []
    for name, books in groups.items():
        with b.scope(f"quantizer.{name}_residual_vector_quantizer"):
            rest = narrow(b, "input_proj", x, inner) if projected else x
            chosen.append(found(config, b, rest, books))
    made = []
    for name, parts in zip(groups, chosen, strict=True):
        with b.scope(f"quantizer.{name}_residual_vector_quantizer"):
            total = parts[0]
            for index, part in enumerate(parts[1:]):
                total = b.apply("add", total, part, name=f"total_{index}")
            made.append(narrow(b, "output_proj", total, config.hidden_size) if projected else total)
    return b.apply("add", *made, name="quantizer.quantized")


def found(config: MimiConfig, b: Builder, x: Value, books: int) -> list[Value]:
    """Returns the vectors of each book, (batch, width, count)."""
    batch, width, count = x.spec.shape
    result = []
    for index in range(books):
        with b.scope(f"layers.{index}.codebook"):
            rows = b.apply("permute", x, name="rows", dims=(0, 2, 1))
            rows = b.apply("reshape", rows, name="flat", shape=(1, batch * count, width))
            size = (config.codebook_size, config.codebook_dim)
            shapes = {"embed_sum": size, "cluster_usage": size[:1], "initialized": (1,)}
            sums, usage, ready = (b.parameter(name, shape, buffer=True) for name, shape in shapes.items())
            b.apply("resident", ready, name="initialized")
            used = b.apply("reshape", b.apply("clamp", usage, name="used"), name="used_column", shape=(*size[:1], 1))
            vectors = b.apply("div", sums, used, name="embed")
            near = b.apply("cdist", rows, b.apply("reshape", vectors, name="one", shape=(1, *size)), name="distances")
            ids = b.apply("argmin", near, name="ids", dim=-1)
            ids = b.apply("reshape", ids, name="ids_of_each", shape=(batch, count))
            part = b.apply("embedding", ids, vectors, name="vectors")
            part = b.apply("permute", part, name="channels_first", dims=(0, 2, 1))
            result.append(part)
            if index < books - 1:
                x = b.apply("sub", x, part, name="residual")
    return result


def narrow(b: Builder, name: str, x: Value, width: Dim) -> Value:
    """Returns x (batch, channels, positions) after a convolution of one tap, without a bias."""
    weight = b.parameter(f"{name}.weight", (width, x.spec.shape[1], 1))
    made: Value = b.apply("convolution", x, weight, name=name)
    return made
