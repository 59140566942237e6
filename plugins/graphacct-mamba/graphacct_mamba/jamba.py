"""Jamba: attention in one of several layers, scans in the others, and experts in every other layer.

Lieber et al., "Jamba: A Hybrid Transformer-Mamba Language Model", 2024 (arXiv:2403.19887).
"""

from __future__ import annotations

from collections.abc import Callable

from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders import (
    Attention,
    DecoderConfig,
    Experts,
    Mlp,
    Norm,
    attention,
    experts,
    mask_name,
    mlp,
    stack,
    whole,
)
from graphacct_architectures.heads import text_logits
from graphacct_architectures.layers import embedding, for_logits, linear, norm
from graphacct_architectures.losses import CROSS_ENTROPY, SUM, cross_entropy, entropy_if, next_token, total

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
    fields,
    frozen,
    has_value,
)
from graphacct_mamba.mamba import check_head
from graphacct_mamba.mixer import Mixer, mixer
from graphacct_mamba.sizes import NO_COST, inexact, rank

CAUSAL, MODEL, SEQUENCE = "JambaForCausalLM", "JambaModel", "JambaForSequenceClassification"
FEED_FORWARD = "feed_forward"


@frozen(kw_only=True)
class JambaConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CAUSAL, (CAUSAL, MODEL, SEQUENCE))
    vocab_size: Dim = fields.size(65536)
    intermediate_size: Dim = fields.size(14336)
    num_key_value_heads: Dim | None = fields.size(8)
    max_position_embeddings: Dim = fields.size(262144)
    num_experts_per_tok: Dim = fields.size(2)
    num_experts: Dim = fields.size(16)
    expert_layer_period: int = fields.size(2)
    expert_layer_offset: int = fields.size(1, minimum=0)
    attn_layer_period: int = fields.size(8)
    attn_layer_offset: int = fields.size(4, minimum=0)
    mamba_d_state: Dim = fields.size(16)
    mamba_d_conv: Dim = fields.size(4)
    mamba_expand: Dim = fields.size(2)
    mamba_dt_rank: Dim | None = rank()
    mamba_conv_bias: bool = fields.flag(True)
    mamba_proj_bias: bool = fields.flag(False)

    def __attrs_post_init__(self) -> None:
        for kind in ("attn", "expert"):
            period, offset = (whole(getattr(self, key), key) for key in _keys(kind))
            if offset >= period:
                raise ConfigError(f"{kind}_layer_offset is {offset}, which is not within {kind}_layer_period {period}")


def _keys(kind: str) -> tuple[str, str]:
    return f"{kind}_layer_period", f"{kind}_layer_offset"


@frozen
class Layer:
    """One layer: attention or a mixer, then a single network or experts."""

    mix: Attention | Mixer
    feed_forward: Mlp | Experts


def layers(config: JambaConfig) -> tuple[Layer, ...]:
    """Returns the layers from first to last."""
    act = ACTIVATIONS[config.hidden_act]
    heads = Attention(config.num_attention_heads, config.kv_heads, config.d_head, dropout=config.attention_dropout)
    scan = Mixer(
        config.mamba_expand * config.hidden_size,
        config.mamba_d_state,
        ceil_div(config.hidden_size, 16) if config.mamba_dt_rank is None else config.mamba_dt_rank,
        config.mamba_d_conv,
        act,
        bias=config.mamba_proj_bias,
        conv_bias=config.mamba_conv_bias,
        normed=True,
    )
    one = Mlp(config.intermediate_size, act, module=FEED_FORWARD)
    many = Experts(
        config.num_experts,
        config.num_experts_per_tok,
        config.intermediate_size,
        act,
        module=FEED_FORWARD,
        router="router",
    )
    if has_value(config.num_experts) and config.num_experts == 1:
        return tuple(Layer(heads if _is(config, "attn", i) else scan, one) for i in _indices(config))
    return tuple(
        Layer(heads if _is(config, "attn", i) else scan, many if _is(config, "expert", i) else one)
        for i in _indices(config)
    )


def _indices(config: JambaConfig) -> range:
    return range(whole(config.num_hidden_layers, "num_hidden_layers"))


def _is(config: JambaConfig, kind: str, index: int) -> bool:
    period, offset = (getattr(config, key) for key in _keys(kind))
    return bool(index % period == offset)


def build(config: JambaConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from token ids to logits."""
    batch, seq = workload.batch, workload.seq_len
    kinds = layers(config)
    ids = b.input("input_ids", (batch, seq), "int64")
    headed = config.architectures != MODEL
    check_head(scored(config), config.architectures, workload)
    with b.scope("model" if headed else ""):
        x = embedding(b, "embed_tokens", ids, config.vocab_size, config.hidden_size)
        masks: tuple[Value, ...] = ()
        if workload.attention == "eager" and any(isinstance(kind.mix, Attention) for kind in kinds):
            sizes = {"batch": batch, "seq": seq, "keys": workload.positions, "dtype": b.dtype}
            masks = (b.apply("causal_mask", name="causal_mask", **sizes),)
        places: tuple[Value, ...] = ()
        if workload.phase == "train":
            places = (b.apply("arange", name="position_ids", n=seq),)
        b.hold(*masks, *places)
        x = stack(b, "layers", kinds, lambda kind: body(kind, workload, len(masks)), x, (*masks, *places))
        x = norm(b, "final_layernorm", x, "rms_norm")
    if not headed:
        return x
    if config.architectures == SEQUENCE:
        return text_logits(config, workload, b, x, ids)
    tied = "model.embed_tokens.weight" if config.tie_word_embeddings else ""
    return linear(b, "lm_head", for_logits(b, x, workload), config.vocab_size, bias=False, tied_to=tied)


def scored(config: JambaConfig) -> bool:
    """Returns whether a configuration's class has logits of words or of classes."""
    return config.architectures == CAUSAL or (config.architectures == SEQUENCE and not equal(config.num_labels, 1))


def class_loss(config: JambaConfig, outputs: tuple[Value, ...], b: Builder) -> Value:
    """Returns the cross-entropy of the next token, or of a text's labels."""
    return (cross_entropy if config.architectures == SEQUENCE else next_token)(config, outputs, b)


def body(kind: Layer, workload: Workload, masks: int) -> Callable[..., Value]:
    """Returns the body of one kind of layer. It is given a mask, if attention is eager, and in training position ids,
    which no layer reads."""

    def run(b: Builder, x: Value, *given: Value) -> Value:
        b.hold(x)
        for ids in given[masks:]:
            b.apply("unread", ids, name="position_ids")
        y = norm(b, "input_layernorm", x, "rms_norm")
        if isinstance(kind.mix, Attention):
            tables = {mask_name(kind.mix, workload): mask for mask in given[:masks]}
            with b.scope(kind.mix.module):
                y, weights = attention(kind.mix, Norm(), workload, b, y, tables)
            b.hold(*weights)
        else:
            with b.scope("mamba"):
                y = mixer(kind.mix, workload, b, y)
        x = b.apply("add", x, y, name="mixed")
        y = norm(b, "pre_ff_layernorm", x, "rms_norm")
        with b.scope(FEED_FORWARD):
            part = kind.feed_forward
            y = mlp(part, b, y) if isinstance(part, Mlp) else experts(part, b, y)
        return b.apply("add", x, y, name="fed")

    return run


ARCHITECTURE = Architecture(
    "jamba",
    JambaConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: config.max_position_embeddings},
    attention=("fused", "eager"),
    phases=("forward", "train", "prefill", "decode"),
    dtype="bfloat16",
    aliases={"torch_dtype": "dtype", "num_local_experts": "num_experts"},
    no_cost={**NO_COST, "mamba_inner_layernorms": (True,)},
    translated=frozenset({"num_local_experts"}),
    losses={CROSS_ENTROPY: class_loss, SUM: total},
    default_loss=lambda config: entropy_if(scored(config)),
    last_logits=True,
    inexact=inexact,
    model_types=("jamba",),
    doc="Jamba: selective scans with attention in one layer of eight and experts in every other.",
)
