"""Mamba: layers of a norm and a mixer (Gu and Dao, 2023, arXiv:2312.00752)."""

from collections.abc import Callable
from functools import partial
from typing import Any

from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.layers import embedding, for_logits, linear, norm
from graphacct_architectures.losses import NEXT_TOKEN_LOSSES, check_entropy, entropy_if

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, ceil_div, fields, frozen
from graphacct_mamba.mixer import Mixer, mixer
from graphacct_mamba.sizes import NO_COST, inexact, rank

CAUSAL, MODEL = "MambaForCausalLM", "MambaModel"
CONTEXT = 2048
"""The default tokens per sequence, on which the published models were trained; a configuration has no limit."""


@frozen(kw_only=True)
class MambaConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CAUSAL, (CAUSAL, MODEL), {"MambaLMHeadModel": CAUSAL})
    vocab_size: Dim = fields.size(50280)
    hidden_size: Dim = fields.size(768)
    state_size: Dim = fields.size(16)
    num_hidden_layers: Dim = fields.size(32)
    expand: Dim = fields.size(2)
    intermediate_size: Dim | None = fields.optional_size()
    conv_kernel: Dim = fields.size(4)
    use_bias: bool = fields.flag(False)
    use_conv_bias: bool = fields.flag(True)
    hidden_act: str = activation("silu")
    residual_in_fp32: bool = fields.flag(True)
    time_step_rank: Dim | None = rank()
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()


def described(config: MambaConfig, **differences: Any) -> Mixer:
    """Returns the mixer of each layer."""
    automatic = ceil_div(config.hidden_size, 16)
    return Mixer(
        config.expand * config.hidden_size if config.intermediate_size is None else config.intermediate_size,
        config.state_size,
        automatic if config.time_step_rank is None else config.time_step_rank,
        config.conv_kernel,
        ACTIVATIONS[config.hidden_act],
        bias=config.use_bias,
        conv_bias=config.use_conv_bias,
        **differences,
    )


def build(config: MambaConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from token ids to logits, or to the last stream."""
    return stacked(config, MODEL, partial(mixer, described(config), workload), workload, b)


def check_head(headed: bool, name: str, workload: Workload) -> None:
    """Raises ConfigError if a class without a head is asked for logits or a loss."""
    check_entropy(headed, workload, name)
    if not headed and workload.logits == "last":
        raise ConfigError(f"{name} computes no logits: leave logits='last' out")


def stacked(config: Any, base: str, mix: Callable[[Builder, Value], Value], workload: Workload, b: Builder) -> Value:
    """Adds the model around the mixers, for Mamba and Mamba-2: the embedding, layers of a norm and `mix`, a norm and,
    except in the class `base`, the head."""

    def layer(b: Builder, x: Value) -> Value:
        b.hold(x)
        y = x if x.spec.dtype == b.dtype else b.apply("cast", x, name="narrow", dtype=b.dtype)
        y = norm(b, "norm", y, "rms_norm")
        with b.scope("mixer"):
            y = mix(b, y)
        return b.apply("add", x, y, name="residual")

    ids = b.input("input_ids", (workload.batch, workload.seq_len), "int64")
    headed = config.architectures != base
    check_head(headed, config.architectures, workload)
    with b.scope("backbone" if headed else ""):
        x = embedding(b, "embeddings", ids, config.vocab_size, config.hidden_size)
        if config.residual_in_fp32 and b.dtype != "float32":
            x = b.apply("cast", x, name="stream", dtype="float32")
        x = b.repeat("layers", config.num_hidden_layers, layer, x)
        if x.spec.dtype != b.dtype:
            x = b.apply("cast", x, name="narrow", dtype=b.dtype)
        x = norm(b, "norm_f", x, "rms_norm")
    if not headed:
        return x
    tied = "backbone.embeddings.weight" if config.tie_word_embeddings else ""
    x = linear(b, "lm_head", for_logits(b, x, workload), config.vocab_size, bias=False, tied_to=tied)
    return x if b.dtype == "float32" else b.apply("cast", x, name="logits", dtype="float32")


ARCHITECTURE = Architecture(
    "mamba",
    MambaConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: CONTEXT},
    phases=("forward", "train", "prefill", "decode"),
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=NO_COST,
    losses=NEXT_TOKEN_LOSSES,
    default_loss=lambda config: entropy_if(config.architectures != MODEL),
    last_logits=True,
    inexact=inexact,
    model_types=("mamba",),
    doc="Mamba: a selective scan behind a causal convolution in every layer, no attention.",
)
