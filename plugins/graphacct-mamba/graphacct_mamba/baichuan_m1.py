"""Baichuan-M1: keys and values mixed with those of the token before, windows in some layers with heads of their own.

Baichuan, "Baichuan-M1", 2025 (arXiv:2502.12671). The class stands in the models' own repositories
(`modeling_baichuan.py`), not in the transformers library: names, shapes and order are that file's, as mlx-lm has them.
The head's rows are normalized once, when the weights are loaded. A cache also has the last token's keys and values as
they were before they were mixed.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphacct_architectures.decoders import Attention, Decoder, DecoderConfig, Layer, Mlp, Whole, attend, decoder
from graphacct_architectures.heads import CAUSAL
from graphacct_architectures.layers import linear, norm

from graphacct import Builder, ConfigError, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_mamba.sizes import indices
from graphacct_mamba.state import keep

WINDOW = 2
"""How many tokens' keys are mixed: the class knows no other number."""


@frozen(kw_only=True)
class BaichuanM1Config(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(133120)
    hidden_size: Dim = fields.size(5120)
    intermediate_size: Dim = fields.size(17408)
    num_hidden_layers: int = fields.size(40)
    num_attention_heads: Dim = fields.size(32)
    num_key_value_heads: Dim | None = fields.optional_size(2)
    max_position_embeddings: Dim = fields.size(32768)
    sliding_window: Dim | None = fields.window(8192)
    sliding_window_layers: tuple[int, ...] | None = indices()
    num_swa_attention_heads: Dim | None = fields.optional_size()
    num_swa_key_value_heads: Dim | None = fields.optional_size()
    conv_window: int = fields.size(WINDOW)


@frozen
class Block:
    """The parts of a layer."""

    attention: Attention
    network: Mlp


def layer(s: Block, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the stream after a layer."""
    a, width = s.attention, x.spec.shape[-1]
    b.hold(x)
    y = norm(b, "input_layernorm", x, "rms_norm")
    with b.scope("self_attn"):
        b.hold(y)
        sizes = (a.heads * a.d_head, a.kv_heads * a.d_head, a.kv_heads * a.d_head)
        joint = linear(b, "W_pack", y, sum(sizes), bias=False)
        q, k, v = b.apply("split", joint, name="qkv", sizes=sizes)
        k, v = (mixed(a, workload, b, part, label) for part, label in ((k, "k"), (v, "v")))
        y = linear(b, "o_proj", attend(a, workload, b, q, k, v, tables), width, bias=False)
    x = b.apply("add", x, y, name="attn_residual")
    y = norm(b, "post_attention_layernorm", x, "rms_norm")
    with b.scope("mlp"):
        b.hold(y)
        gate = b.apply("silu", linear(b, "gate_proj", y, s.network.width, bias=False), name="act")
        up = linear(b, "up_proj", y, s.network.width, bias=False)
        y = linear(b, "down_proj", b.apply("mul", gate, up, name="gated"), width, bias=False)
    return b.apply("add", x, y, name="mlp_residual")


def mixed(a: Attention, workload: Workload, b: Builder, x: Value, label: str) -> Value:
    """Returns x (batch, seq, heads · d_head) times a number of each head, plus the token's before times another. A
    cache keeps the last token's x."""
    batch, seq, inner = x.spec.shape
    weight = b.parameter(f"conv_{label}", (1, 1, a.kv_heads, 1, WINDOW))
    before, own = (
        b.apply("reshape", part, name=f"conv_{label}_{word}", shape=(1, 1, a.kv_heads, 1))
        for part, word in zip(b.apply("split", weight, name=f"conv_{label}_parts", parts=2), ("0", "1"), strict=True)
    )
    shape = (batch, seq, a.kv_heads, a.d_head)
    if workload.phase == "decode":
        earlier = b.apply("recurrent_state", name=f"{label}_last", shape=(batch, 1, inner), dtype=x.spec.dtype)
    else:
        first = b.apply("pad", x, name=f"{label}_shifted", padding=((1, 0), (0, 0)))
        earlier = b.apply("slice", first, name=f"{label}_earlier", dim=1, start=0, length=seq)
    if workload.phase in ("prefill", "decode"):
        last = b.apply("slice", x, name=f"{label}_of_last", dim=1, start=seq - 1, length=1)
        keep(b, b.apply("contiguous", last, name=f"{label}_of_last_copied"), f"{label}_last")
    x = b.apply("reshape", x, name=f"{label}_own_heads", shape=shape)
    earlier = b.apply("reshape", earlier, name=f"{label}_earlier_heads", shape=shape)
    parts = (
        b.apply("mul", earlier, before, name=f"{label}_of_before"),
        b.apply("mul", x, own, name=f"{label}_of_own"),
    )
    both = b.apply("add", *parts, name=f"{label}_mixed")
    return b.apply("reshape", both, name=f"{label}_mixed_flat", shape=(batch, seq, inner))


def describe(config: BaichuanM1Config) -> Decoder:
    """Returns layers of which the listed ones have a window, and heads of their own if the file says."""
    if config.conv_window != WINDOW:
        raise ConfigError(f"conv_window is {config.conv_window}: this family mixes {WINDOW} tokens' keys")
    network = Mlp(config.intermediate_size, "silu")
    count, listed = config.num_hidden_layers, config.sliding_window_layers or ()
    if type(count) is not int:
        raise ConfigError(f"num_hidden_layers is {count}: give a number, the layers of this model differ")
    if listed and config.sliding_window is None:
        raise ConfigError("sliding_window_layers lists layers, but sliding_window is not there")

    def kind(index: int) -> Layer:
        slides = index in listed
        heads, shared = config.num_attention_heads, config.kv_heads
        if slides:
            heads = config.num_swa_attention_heads or heads
            shared = config.num_swa_key_value_heads or shared
        d_head = exact_div(config.hidden_size, heads, "hidden_size / heads of attention")
        exact_div(heads, shared, "heads of attention / heads of keys and values")
        tables = f"rotary_emb.{'window' if slides else 'full'}"
        window = config.sliding_window if slides else None
        attention = Attention(heads, shared, d_head, rotary=d_head, rotary_tables=tables, window=window)
        return Layer(attention, network, whole=Whole(Block(attention, network), layer))

    layers = tuple(map(kind, range(count)))
    made = {each.attention.rotary_tables: each.attention.d_head for each in layers if type(each.attention) is Attention}
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layers,
        tied=config.tie_word_embeddings,
        rotary_tables=tuple(made.items()),
    )


def inexact(config: BaichuanM1Config, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns that no library's class was measured."""
    return ("saved tensors were not measured: the class stands in the model's own repository",)


ARCHITECTURE = decoder(
    "baichuan_m1",
    BaichuanM1Config,
    describe,
    PresetFiles(__file__),
    inexact=inexact,
    classes=(CAUSAL,),
    stem="Baichuan",
    doc="Baichuan-M1: keys and values mixed with those of the token before, windows with heads of their own.",
)
