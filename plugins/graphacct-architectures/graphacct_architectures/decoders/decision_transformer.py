"""Decision Transformer: GPT-2's layers over steps of a game, each a return, a state and an action.

Chen et al., 2021 (arXiv:2106.01345). A sequence counts steps: three tokens each. Positions come with the steps; those
of GPT-2 are the first row for every token. The class copies keys and values into a cache, in training too.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.aliases import ALIASES
from graphacct_architectures.layers import activation as act
from graphacct_architectures.layers import (
    conv1d,
    dropped,
    embedding,
    layer_norm,
    linear,
    merge_heads,
    resident,
    split_heads,
)
from graphacct_architectures.losses import SUM, total

MODEL = "DecisionTransformerModel"
KINDS = 3
"""Tokens of a step."""


@frozen(kw_only=True)
class DecisionTransformerConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL,))
    state_dim: Dim = fields.size(17)
    act_dim: Dim = fields.size(4)
    hidden_size: Dim = fields.size(128)
    max_ep_len: Dim = fields.size(4096)
    action_tanh: bool = fields.flag(True)
    vocab_size: Dim = fields.size(1)
    n_positions: Dim = fields.size(1024)
    n_layer: Dim = fields.size(3)
    n_head: Dim = fields.size(1)
    n_inner: Dim | None = fields.optional_size()
    activation_function: str = activation("relu")
    resid_pdrop: float = fields.probability(0.1)
    embd_pdrop: float = fields.probability(0.1)
    attn_pdrop: float = fields.probability(0.1)
    scale_attn_weights: bool = fields.flag(True)
    reorder_and_upcast_attn: bool = fields.flag(False)
    add_cross_attention: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def build(config: DecisionTransformerConfig, workload: Workload, b: Builder) -> tuple[Value, ...]:
    """Returns the graph from returns, states, actions and times to the next states, actions and returns.
    Raises ConfigError for what the class has and is not modelled."""
    for key in ("reorder_and_upcast_attn", "add_cross_attention"):
        if getattr(config, key):
            raise ConfigError(f"{key} is True, which is not modelled here: --set {key}=false leaves it out")
    batch, seq, width = workload.batch, workload.seq_len, config.hidden_size
    assert seq is not None
    tokens = KINDS * seq
    x = steps(config, workload, b)
    with b.scope("encoder"):
        resident(b, "wte", b.parameter("wte.weight", (config.vocab_size, width)), lookup=True)
        places = b.apply("full", name="position_ids", shape=(batch, tokens), dtype="int64")
        x = b.apply("add", x, embedding(b, "wpe", places, config.n_positions, width), name="with_positions")
        x = dropped(b, "drop", x, config.embd_pdrop, workload)
        masks: tuple[Value, ...] = ()
        if workload.attention == "eager":
            masks = (b.apply("causal_mask", name="causal_mask", batch=batch, seq=tokens, keys=tokens, dtype=b.dtype),)
        b.hold(x, *masks)
        x = b.repeat("h", config.n_layer, partial(layer, config, workload), x, constants=masks)
        x = layer_norm(b, "ln_f", x)
    x = b.apply("reshape", x, name="by_step", shape=(batch, seq, KINDS, width))
    x = b.apply("permute", x, name="by_kind", dims=(0, 2, 1, 3))
    after_action, after_state = (
        b.apply("select", x, name=name, dim=1, index=index) for name, index in (("after_action", 2), ("after_state", 1))
    )
    returns = linear(b, "predict_return", after_action, 1)
    states = linear(b, "predict_state", after_action, config.state_dim)
    actions = linear(b, "predict_action.0", after_state, config.act_dim)
    if config.action_tanh:
        actions = b.apply("tanh", actions, name="predict_action.1")
    return states, actions, returns


def steps(config: DecisionTransformerConfig, workload: Workload, b: Builder) -> Value:
    """Returns returns, states and actions in turn, each projected, with the time added, (batch, 3 · seq, width)."""
    batch, seq, width = workload.batch, workload.seq_len, config.hidden_size
    assert seq is not None
    given = {
        "state": b.input("states", (batch, seq, config.state_dim), b.dtype),
        "action": b.input("actions", (batch, seq, config.act_dim), b.dtype),
        "return": b.input("returns_to_go", (batch, seq, 1), b.dtype),
    }
    found = {name: linear(b, f"embed_{name}", value, width) for name, value in given.items()}
    times = embedding(b, "embed_timestep", b.input("timesteps", (batch, seq), "int64"), config.max_ep_len, width)
    found = {name: b.apply("add", value, times, name=f"{name}_at_time") for name, value in found.items()}
    rows = [
        b.apply("reshape", found[name], name=f"{name}_rows", shape=(batch, 1, seq, width))
        for name in ("return", "state", "action")
    ]
    x = b.apply("concat", *rows, name="stacked", dim=1)
    x = b.apply("permute", x, name="in_turn", dims=(0, 2, 1, 3))
    return layer_norm(b, "embed_ln", b.apply("reshape", x, name="tokens", shape=(batch, KINDS * seq, width)))


def layer(config: DecisionTransformerConfig, workload: Workload, b: Builder, x: Value, *mask: Value) -> Value:
    """Applies GPT-2's layer: norms before both parts, which are added."""
    b.hold(x)
    y = layer_norm(b, "ln_1", x)
    with b.scope("attn"):
        y = attention(config, workload, b, y, mask)
    x = b.apply("add", y, x, name="attn_residual")
    b.hold(x)
    y = layer_norm(b, "ln_2", x)
    with b.scope("mlp"):
        inner = config.n_inner if config.n_inner is not None else 4 * config.hidden_size
        y = act(b, ACTIVATIONS[config.activation_function], conv1d(b, "c_fc", y, inner))
        y = dropped(b, "dropout", conv1d(b, "c_proj", y, config.hidden_size), config.resid_pdrop, workload)
    return b.apply("add", x, y, name="mlp_residual")


def attention(
    config: DecisionTransformerConfig, workload: Workload, b: Builder, x: Value, mask: tuple[Value, ...]
) -> Value:
    """Returns causal attention's output."""
    width, heads = config.hidden_size, config.n_head
    d_head = exact_div(width, heads, "hidden_size / n_head")
    joint = b.apply("split", conv1d(b, "c_attn", x, KINDS * width), name="parts", sizes=(width,) * KINDS)
    q, k, v = (split_heads(b, part, heads, d_head, label) for part, label in zip(joint, "qkv", strict=True))
    k, v = (b.apply("contiguous", part, name=f"{label}_cached") for part, label in ((k, "k"), (v, "v")))
    drop = config.attn_pdrop if workload.phase == "train" else 0
    options: dict[str, Any] = {} if config.scale_attn_weights else {"scale": 1}
    if not mask:
        options |= {"dropout_p": drop} if drop else {}
        y = b.apply("scaled_dot_product_attention", q, k, v, name="sdpa", causal=True, **options)
    else:
        scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
        scores = b.apply("add", b.apply("scale", scores, name="scale"), mask[0], name="mask")
        weights = dropped(b, "dropout", b.apply("softmax", scores, name="softmax"), config.attn_pdrop, workload)
        y = b.apply("matmul", weights, v, name="values")
    return dropped(b, "resid_dropout", conv1d(b, "c_proj", merge_heads(b, y), width), config.resid_pdrop, workload)


ARCHITECTURE = Architecture(
    "decision_transformer",
    DecisionTransformerConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: config.max_ep_len},
    attention=("fused", "eager"),
    dtype="float32",
    aliases={
        **ALIASES,
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
        "max_position_embeddings": "n_positions",
    },
    model_types=("decision_transformer",),
    losses={SUM: total},
    no_cost=dict.fromkeys(("scale_attn_by_inverse_layer_idx", "max_length", "n_ctx", "layer_norm_epsilon")),
    doc="Decision Transformer: GPT-2's layers over returns, states and actions.",
)
