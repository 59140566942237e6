"""The layers of Zamba and Zamba2: a scan, or a shared transformer block whose output the scan reads too."""

from __future__ import annotations

from collections.abc import Mapping

from graphacct_architectures.decoders import EMBEDDING, Attention, Mixing, Mlp, attend
from graphacct_architectures.layers import activation, linear, norm, resident

from graphacct import Builder, Dim, Value, Workload, frozen


@frozen
class SharedBlock:
    """One layer with a shared block before its scan.

    Attributes:
        attention: The block's attention over the stream and the embedding side by side.
        network: Its feed-forward network; one with a joint projection has adapters of it.
        mix: The layer's own scan, of the family's kind.
        module: The block's name.
        place: The layer's place among those with a block.
        places: The places of all layers that share the block.
        rank: The width of the adapters, of which each layer has its own.
        adapted: Whether queries, keys and values have adapters, beside the network.
        owner: The layer whose block has the weights, without the decoder's name; empty if it is this one.
        headed: Whether the decoder is a module of the model, called `model`.
    """

    attention: Attention
    network: Mlp
    mix: Mixing
    module: str
    place: int
    places: tuple[int, ...]
    rank: Dim
    adapted: bool
    owner: str
    headed: bool

    def tied(self, name: str) -> str:
        """Returns the full name of the parameter whose storage the block's own shares; empty for none."""
        return f"{'model.' if self.headed else ''}{self.owner}.{self.module}.{name}" if self.owner else ""


def scan_layer(mix: Mixing, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the stream after a layer with a scan alone."""
    return b.apply("add", x, scanned(mix, workload, b, x), name="residual")


def scanned(mix: Mixing, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns what a layer's scan makes of the stream, normalized."""
    y = norm(b, "input_layernorm", x, "rms_norm")
    with b.scope(mix.module):
        return mix.apply(mix.settings, workload, b, y)


def hybrid_layer(s: SharedBlock, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the stream after a layer with a shared block: the scan reads the stream plus the block's output."""
    width = x.spec.shape[-1]
    with b.scope(s.module):
        both = b.apply("concat", x, tables[EMBEDDING], name="with_embedding", dim=-1)
        both = shared_norm(s, b, "input_layernorm", both)
        with b.scope("self_attn"):
            y = shared_attention(s, workload, b, both, width, tables)
        y = shared_norm(s, b, "pre_ff_layernorm", y)
        with b.scope("feed_forward"):
            y = shared_network(s, b, y)
    y = linear(b, "linear", y, width, bias=False)
    with b.scope("mamba_decoder"):
        y = scanned(s.mix, workload, b, b.apply("add", x, y, name="with_block"))
        return b.apply("add", x, y, name="residual")


def shared_norm(s: SharedBlock, b: Builder, name: str, x: Value) -> Value:
    """Returns x normalized by the block's norm."""
    weight = b.parameter(f"{name}.weight", x.spec.shape[-1:], tied_to=s.tied(f"{name}.weight"))
    return b.apply("rms_norm", x, weight, name=name)


def shared_linear(s: SharedBlock, b: Builder, scope: str, name: str, x: Value, width: Dim, bias: bool = False) -> Value:
    """Returns x projected by the block's weight; the builder is in `scope`."""
    path = f"{scope}.{name}"
    weight = b.parameter(f"{name}.weight", (width, x.spec.shape[-1]), tied_to=s.tied(f"{path}.weight"))
    rest = (b.parameter(f"{name}.bias", (width,), tied_to=s.tied(f"{path}.bias")),) if bias else ()
    return b.apply("linear", x, weight, *rest, name=name)


def adapted(s: SharedBlock, b: Builder, scope: str, name: str, x: Value, y: Value) -> Value:
    """Returns y plus this layer's adapter of x; the adapters of the other layers are there too."""
    first, last = x.spec.shape[-1], y.spec.shape[-1]
    low = x
    for place in s.places:
        if place == s.place:
            with b.scope(f"{name}.{place}"):
                low = shared_linear(s, b, f"{scope}.{name}.{place}", "0", x, s.rank)
                low = shared_linear(s, b, f"{scope}.{name}.{place}", "1", low, last)
            continue
        for step, shape in enumerate(((s.rank, first), (last, s.rank))):
            own = f"{name}.{place}.{step}.weight"
            resident(b, f"{name}_{place}_{step}", b.parameter(own, shape, tied_to=s.tied(f"{scope}.{own}")))
    return b.apply("add", y, low, name=f"{name}_added")


def shared_attention(
    s: SharedBlock, workload: Workload, b: Builder, x: Value, width: Dim, tables: Mapping[str, Value]
) -> Value:
    """Returns the output of the block's attention over x (batch, seq, 2 · width)."""
    a = s.attention
    counts = (a.heads, a.kv_heads, a.kv_heads)
    names = zip("qkv", counts, strict=True)
    parts = [shared_linear(s, b, "self_attn", f"{label}_proj", x, n * a.d_head) for label, n in names]
    if s.adapted:
        parts = [
            adapted(s, b, "self_attn", f"linear_{label}_adapter_list", x, part)
            for label, part in zip("qkv", parts, strict=True)
        ]
    y = attend(a, workload, b, parts[0], parts[1], parts[2], tables)
    return shared_linear(s, b, "self_attn", "o_proj", y, width)


def shared_network(s: SharedBlock, b: Builder, x: Value) -> Value:
    """Returns the output of the block's gated network. A joint projection has an adapter for each layer."""
    m = s.network
    if m.joint:
        both = shared_linear(s, b, "feed_forward", m.joint, x, 2 * m.width, m.bias)
        both = adapted(s, b, "feed_forward", f"{m.joint}_adapter_list", x, both)
        gate, up = b.apply("split", both, name="gate_and_up", parts=2)
        gate = activation(b, m.activation, gate)
    else:
        gate = activation(b, m.activation, shared_linear(s, b, "feed_forward", m.gate, x, m.width, m.bias))
        up = shared_linear(s, b, "feed_forward", m.up, x, m.width, m.bias)
    y = b.apply("mul", gate, up, name="gated")
    return shared_linear(s, b, "feed_forward", m.down, y, x.spec.shape[-1], m.bias)
