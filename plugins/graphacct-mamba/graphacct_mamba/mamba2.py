"""Mamba-2: a scan whose decay is one number for each head (Dao and Gu, 2024, arXiv:2405.21060)."""

from __future__ import annotations

from functools import partial

import attrs
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import linear
from graphacct_architectures.losses import NEXT_TOKEN_LOSSES, entropy_if

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    ceil_div,
    equal,
    exact_div,
    fields,
)
from graphacct_mamba.convolution import causal_convolution
from graphacct_mamba.mamba import CONTEXT, stacked
from graphacct_mamba.mixer import decay_rates
from graphacct_mamba.sizes import NO_COST, inexact
from graphacct_mamba.state import keep

CAUSAL, MODEL = "Mamba2ForCausalLM", "Mamba2Model"


@attrs.frozen(kw_only=True)
class Mamba2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CAUSAL, (CAUSAL, MODEL))
    num_heads: Dim = fields.size(128)
    head_dim: Dim = fields.size(64)
    vocab_size: Dim = fields.size(32768)
    hidden_size: Dim = fields.size(4096)
    state_size: Dim = fields.size(128)
    num_hidden_layers: Dim = fields.size(64)
    expand: Dim = fields.size(2)
    conv_kernel: Dim = fields.size(4)
    n_groups: Dim = fields.size(8)
    use_bias: bool = fields.flag(False)
    use_conv_bias: bool = fields.flag(True)
    hidden_act: str = activation("silu")
    residual_in_fp32: bool = fields.flag(True)
    chunk_size: Dim = fields.size(256)
    tie_word_embeddings: bool = fields.flag(False)
    dtype: str | None = fields.dtype()

    def __attrs_post_init__(self) -> None:
        inner, heads = self.expand * self.hidden_size, self.num_heads * self.head_dim
        if type(inner) is int and type(heads) is int and inner != heads:
            raise ConfigError(
                f"expand {self.expand} times hidden_size {self.hidden_size} is {inner}, "
                f"num_heads {self.num_heads} times head_dim {self.head_dim} is {heads}: they are the same channels"
            )
        exact_div(self.num_heads, self.n_groups, "num_heads / n_groups")


def build(config: Mamba2Config, workload: Workload, b: Builder) -> Value:
    """Returns the graph from token ids to logits."""
    return stacked(config, MODEL, partial(mixer, config, workload), workload, b)


def mixer(config: Mamba2Config, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the mixer's output for x (batch, seq, width); the builder is in its scope."""
    batch, seq, width = x.spec.shape
    inner, heads = config.num_heads * config.head_dim, config.num_heads
    shared = config.n_groups * config.state_size
    sizes = (inner, inner + 2 * shared, heads)
    joint = linear(b, "in_proj", x, sum(sizes), bias=config.use_bias)
    rates = decay_rates(b, (heads,))
    gate, xbc, step = b.apply("split", joint, name="gate_xBC_dt", sizes=sizes)
    xbc = b.apply("transpose", xbc, name="channels", dims=(1, 2))
    act = ACTIVATIONS[config.hidden_act]
    xbc = causal_convolution(b, xbc, config.conv_kernel, act, workload, bias=config.use_conv_bias)
    xbc = b.apply("transpose", xbc, name="rows", dims=(1, 2))
    u, into, out_of = b.apply("split", xbc, name="x_B_C", sizes=(inner, shared, shared))
    groups = (batch, seq, config.n_groups, config.state_size)
    into = b.apply("reshape", into, name="B", shape=groups)
    out_of = b.apply("reshape", out_of, name="C", shape=groups)
    u = b.apply("reshape", u, name="x", shape=(batch, seq, heads, config.head_dim))
    step = b.apply(
        "softplus", b.apply("add", step, b.parameter("dt_bias", (heads,)), name="dt_shifted"), name="dt_soft"
    )
    if workload.phase != "decode":
        step = b.apply("clamp", step, name="dt")  # to time_step_limit, which by default is no limit
    y = scanned(config, workload, b, u, step, rates, into, out_of)
    y = b.apply("reshape", y, name="heads", shape=(batch, seq, inner))
    y = gated_norm(config, b, y, gate)
    return linear(b, "out_proj", y, width, bias=config.use_bias)


def scanned(
    config: Mamba2Config, workload: Workload, b: Builder, x: Value, step: Value, rates: Value, into: Value, out: Value
) -> Value:
    """Returns the scan's output: in chunks for a sequence, or for one token a single step on the cached state."""
    skip = b.parameter("D", (config.num_heads,))
    if workload.phase == "decode":
        shape = (x.spec.shape[0], config.num_heads, config.head_dim, config.state_size)
        state = b.apply("recurrent_state", name="ssm_state", shape=shape, dtype="float32")
        y, last = b.apply("scan_step", x, step, rates, into, out, skip, state, name="scan")
    else:
        seq = x.spec.shape[1]
        chunks = ceil_div(seq, config.chunk_size)
        x, step, into, out = (
            chunked(b, part, chunks, config.chunk_size, label)
            for part, label in ((x, "x"), (step, "dt"), (into, "B"), (out, "C"))
        )
        y, last = b.apply("chunk_scan", x, step, rates, into, out, skip, name="scan", bounds=chunks + 1)
        y = joined(b, y, seq)
    if workload.phase in ("prefill", "decode"):
        keep(b, last, "ssm")
    return y


def chunked(b: Builder, x: Value, chunks: Dim, length: Dim, label: str) -> Value:
    """Returns x (batch, seq, …) as (batch, chunks, length, …), with the last chunk padded."""
    batch, seq, *rest = x.spec.shape
    if not equal(seq, chunks * length):
        padding = ((0, chunks * length - seq), *((0, 0) for _ in rest))
        x = b.apply("pad", x, name=f"{label}_padded", padding=padding)
    return b.apply("reshape", x, name=f"{label}_chunks", shape=(batch, chunks, length, *rest))


def joined(b: Builder, y: Value, seq: Dim) -> Value:
    """Returns the chunks (batch, chunks, length, …) one after the other, without the padding."""
    batch, chunks, length, *rest = y.spec.shape
    y = b.apply("reshape", y, name="joined", shape=(batch, chunks * length, *rest))
    if equal(seq, chunks * length):
        return y
    return b.apply("slice", y, name="unpadded", dim=1, start=0, length=seq)


def gated_norm(config: Mamba2Config, b: Builder, x: Value, gate: Value) -> Value:
    """Returns x times silu(gate), with each group of channels normalized in float32, times the gain."""
    batch, seq, inner = x.spec.shape
    with b.scope("norm"):
        if gate.spec.dtype != "float32":
            gate = b.apply("cast", gate, name="gate_wide", dtype="float32")
        x = b.apply("mul", x, b.apply("silu", gate, name="gate"), name="gated")
        per_group = exact_div(inner, config.n_groups, "channels / n_groups")
        x = b.apply("reshape", x, name="groups", shape=(batch, seq, config.n_groups, per_group))
        x = b.apply("reshape", b.apply("rms_norm", x, name="normed"), name="channels", shape=(batch, seq, inner))
        if b.dtype != "float32":
            x = b.apply("cast", x, name="narrow", dtype=b.dtype)
        return b.apply("mul", b.parameter("weight", (inner,)), x, name="gain")


def of_the_scan(config: Mamba2Config, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not equal to the library's saved tensors: in 16 bits, and of tokens that are no whole chunks."""
    seq, chunk = workload.seq_len, config.chunk_size
    if dtype == "float32" and type(seq) is int and type(chunk) is int and seq % chunk:
        return (f"saved tensors of the scan are not the library's where seq_len is no multiple of chunk_size {chunk}",)
    return inexact(config, workload, dtype)


ARCHITECTURE = Architecture(
    "mamba2",
    Mamba2Config,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: CONTEXT},
    phases=("forward", "train", "prefill", "decode"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost={**NO_COST, "time_step_rank": None},
    losses=NEXT_TOKEN_LOSSES,
    default_loss=lambda config: entropy_if(config.architectures != MODEL),
    last_logits=True,
    inexact=of_the_scan,
    model_types=("mamba2",),
    doc="Mamba-2: a scan with one decay for each head, computed in chunks as matrix products.",
)
