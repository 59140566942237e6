"""Apple's on-device foundation model: norms of rotated queries and keys; later layers reuse the last one's keys.

Apple, "Apple Intelligence Foundation Language Models", 2025 (arXiv:2507.13575). The class is mlx-lm's (`afm7.py`):
names, shapes and order are that file's. The last `num_kv_reuse_layers` layers have no keys and values of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import attrs

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.decoders.parts.attention import attended
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder, Middle
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, number, whole
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.projections import of_their_own
from graphacct_architectures.decoders.parts.rotary import rotated
from graphacct_architectures.decoders.parts.unmeasured import own_repository
from graphacct_architectures.decoders.parts.usual import around, rotated_attention
from graphacct_architectures.heads import CAUSAL
from graphacct_architectures.layers import linear, split_heads

NORM = Norm()


@frozen(kw_only=True)
class AfmConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(153600)
    hidden_size: Dim = fields.size(2048)
    num_hidden_layers: Dim = fields.size(56)
    num_kv_reuse_layers: Dim = fields.size(21, minimum=0)
    num_attention_heads: Dim = fields.size(16)
    num_key_value_heads: Dim | None = fields.optional_size(2)
    hidden_dim_scale_factor: float | None = number(3.25)
    tie_word_embeddings: bool = fields.flag(True)

    @property
    def inner(self) -> Dim:
        """The width of the network's hidden layer."""
        if type(self.hidden_size) is not int:
            raise ConfigError(f"hidden_dim is {self.hidden_size}: the network's width is a fraction of it, so a number")
        return int(self.hidden_size * (self.hidden_dim_scale_factor or 1))


@frozen
class Reused:
    """The layers: how many have keys of their own and how many reuse the last one's, and their parts."""

    own: int
    reusing: int
    attention: Attention
    network: Mlp


def layers(
    s: Reused, d: Decoder, workload: Workload, b: Builder, ids: Value, x: Value, tables: Mapping[str, Value]
) -> Value:
    """Returns the stream after all layers."""
    names, constants = tuple(tables), tuple(tables.values())
    if s.own > 1:
        x = b.repeat("layers", s.own - 1, partial(alone, s, workload, names), x, constants=constants)
    with b.scope(f"layers.{s.own - 1}"):
        x, k, v = owning(s, workload, names, b, x, *constants)
    if s.reusing:
        later = partial(reusing, s, workload, names)
        x = b.repeat("kv_reuse_layers", s.reusing, later, x, constants=(k, v, *constants))
    return x


def alone(s: Reused, workload: Workload, names: tuple[str, ...], b: Builder, x: Value, *given: Value) -> Value:
    """Adds a layer whose keys and values no other layer reads."""
    return owning(s, workload, names, b, x, *given)[0]


def owning(
    s: Reused, workload: Workload, names: tuple[str, ...], b: Builder, x: Value, *given: Value
) -> tuple[Value, Value, Value]:
    """Adds a layer with keys and values of its own, and returns the stream and these."""
    tables = dict(zip(names, given, strict=True))
    b.hold(x)
    y = normed_by(b, "input_layernorm", x, NORM)
    with b.scope(s.attention.module):
        q, k, v, _ = of_their_own(s.attention, NORM, workload, b, y, tables)
        y, _ = attended(s.attention, workload, b, q, k, v, tables)
        y = linear(b, s.attention.out, y, x.spec.shape[-1], bias=False)
    x = fed(s, b, b.apply("add", x, y, name="attn_residual"))
    return x, k, v


def reusing(
    s: Reused, workload: Workload, names: tuple[str, ...], b: Builder, x: Value, k: Value, v: Value, *given: Value
) -> Value:
    """Adds a layer that attends to the keys and values of an earlier one."""
    tables, a = dict(zip(names, given, strict=True)), s.attention
    b.hold(x)
    y = normed_by(b, "input_layernorm", x, NORM)
    with b.scope(a.module):
        q = split_heads(b, linear(b, "q_proj", y, a.heads * a.d_head, bias=False), a.heads, a.d_head, "q")
        cos, sin = (tables[f"{a.rotary_tables}.{word}"] for word in ("cos", "sin"))
        q = normed_by(b, "q_norm", rotated(a, b, q, cos, sin, "q"), NORM)
        y, _ = attended(a, workload, b, q, k, v, tables)
        y = linear(b, a.out, y, x.spec.shape[-1], bias=False)
    return fed(s, b, b.apply("add", x, y, name="attn_residual"))


def fed(s: Reused, b: Builder, x: Value) -> Value:
    """Returns the stream with the network's output added."""
    y = normed_by(b, "post_attention_layernorm", x, NORM)
    with b.scope(s.network.module):
        y = mlp(s.network, b, y)
    return b.apply("add", x, y, name="mlp_residual")


def describe(config: AfmConfig) -> Decoder:
    """Returns the decoder; the layers that reuse keys are the last ones, in a list of their own."""
    count = whole(config.num_hidden_layers, "num_layers")
    reused = whole(config.num_kv_reuse_layers, "num_kv_reuse_layers")
    if reused >= count:
        raise ConfigError(f"num_kv_reuse_layers is {reused}, num_layers {count}: some layer has keys to reuse")
    attention = rotated_attention(config, joint="qkv_proj", out="out_proj", qk_norm="head", qk_norm_last=True)
    other = Mlp(config.inner, "silu")
    found = around(config, Layer(attention, other), embedding="embedding", norm="output_norm")
    return attrs.evolve(found, middle=Middle(Reused(count - reused, reused, attention, other), layers))


KEYS = {
    "hidden_dim": "hidden_size",
    "num_layers": "num_hidden_layers",
    "num_heads": "num_attention_heads",
    "num_kv_heads": "num_key_value_heads",
}
ARCHITECTURE = decoder(
    "afm7",
    AfmConfig,
    describe,
    PresetFiles(__file__),
    inexact=own_repository,
    aliases=KEYS,
    translated=KEYS,
    classes=(CAUSAL,),
    doc="Apple's on-device model: norms of rotated heads, later layers reuse the last one's keys and values.",
)
