"""Mamba-2: a scan whose decay is one number for each head (Dao and Gu, 2024, arXiv:2405.21060)."""

from __future__ import annotations

from functools import partial

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.losses import NEXT_TOKEN_LOSSES, entropy_if

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    Value,
    Workload,
    exact_div,
    fields,
    frozen,
    has_value,
)
from graphacct_mamba.mamba import CONTEXT, stacked
from graphacct_mamba.scan_heads import ScanHeads, scan_heads
from graphacct_mamba.sizes import NO_COST, inexact

CAUSAL, MODEL = "Mamba2ForCausalLM", "Mamba2Model"


@frozen(kw_only=True)
class Mamba2Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CAUSAL, (CAUSAL, MODEL), {"MambaLMHeadModel": CAUSAL})
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
        if has_value(inner) and has_value(heads) and inner != heads:
            raise ConfigError(
                f"expand {self.expand} times hidden_size {self.hidden_size} is {inner}, "
                f"num_heads {self.num_heads} times head_dim {self.head_dim} is {heads}: they are the same channels"
            )
        exact_div(self.num_heads, self.n_groups, "num_heads / n_groups")


def build(config: Mamba2Config, workload: Workload, b: Builder) -> Value:
    """Returns the graph from token ids to logits."""
    return stacked(config, MODEL, partial(scan_heads, described(config), workload), workload, b)


def described(config: Mamba2Config) -> ScanHeads:
    """Returns the mixer of each layer."""
    return ScanHeads(
        config.num_heads,
        config.head_dim,
        config.n_groups,
        config.state_size,
        config.conv_kernel,
        config.chunk_size,
        ACTIVATIONS[config.hidden_act],
        bias=config.use_bias,
        conv_bias=config.use_conv_bias,
        out_bias=config.use_bias,
    )


def of_the_scan(config: Mamba2Config, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not equal to the library's saved tensors: in 16 bits, and of tokens that are no whole chunks."""
    seq, chunk = workload.seq_len, config.chunk_size
    if dtype == "float32" and has_value(seq) and has_value(chunk) and seq % chunk:
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
    no_cost={**NO_COST, **dict.fromkeys(("time_step_rank", "intermediate_size", "norm_before_gate"))},
    losses=NEXT_TOKEN_LOSSES,
    default_loss=lambda config: entropy_if(config.architectures != MODEL),
    last_logits=True,
    inexact=of_the_scan,
    model_types=("mamba2",),
    doc="Mamba-2: a scan with one decay for each head, computed in chunks as matrix products.",
)
