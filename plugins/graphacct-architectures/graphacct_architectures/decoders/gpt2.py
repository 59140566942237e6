"""GPT-2 as published: learned positions, LayerNorm before each sublayer, biases, tanh-GELU, a tied head.

Radford et al., "Language Models are Unsupervised Multitask Learners", 2019; names and order of operations as in the
transformers library's GPT2LMHeadModel, whose measured figures are the oracle (tests/goldens/).
"""

from __future__ import annotations

from functools import partial

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
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.activations import activation as activation_name
from graphacct_architectures.aliases import GPT2
from graphacct_architectures.crossing import Crossing
from graphacct_architectures.heads import (
    ALONE,
    TWO_HEADS,
    HeadConfig,
    check_outputs,
    checked,
    class_losses,
    default_loss,
    labels_head,
)
from graphacct_architectures.heads import CLASSES as USUAL
from graphacct_architectures.layers import (
    activation,
    conv1d,
    dropped,
    embedding,
    for_logits,
    layer_norm,
    linear,
    merge_heads,
    resident,
    split_heads,
    with_cache,
)
from graphacct_architectures.losses import cross_entropy

CLASSES = (*USUAL, TWO_HEADS)


@frozen
class GPT2Config(HeadConfig):
    """The keys of the published config.json that the cost depends on, under their published names."""

    vocab_size: Dim = fields.size(50257)
    n_positions: Dim = fields.size(1024)
    n_embd: Dim = fields.size(768)
    n_layer: Dim = fields.size(12)
    n_head: Dim = fields.size(12)
    n_inner: Dim | None = fields.optional_size()
    activation_function: str = activation_name("gelu_new")
    resid_pdrop: float = fields.probability(0.1)
    embd_pdrop: float = fields.probability(0.1)
    attn_pdrop: float = fields.probability(0.1)
    reorder_and_upcast_attn: bool = fields.flag(False)
    tie_word_embeddings: bool = fields.flag(True)
    summary_type: str = fields.choice("cls_index", ("cls_index", "last", "first", "mean"))
    summary_use_proj: bool = fields.flag(True)
    summary_proj_to_labels: bool = fields.flag(True)
    add_cross_attention: bool = fields.flag(False)
    dtype: str | None = fields.dtype()


def build(config: GPT2Config, workload: Workload, b: Builder, states: Value | None = None) -> Value | tuple[Value, ...]:
    """Returns the graph from token ids to logits, or to the outputs of the class that the file names. `states` are what
    another model gives its cross-attention."""
    ending = checked(config, "gpt2", CLASSES)
    check_outputs(ending, config, workload)
    batch, seq, width = workload.batch, workload.seq_len, config.n_embd
    length = workload.positions
    if has_value(length) and has_value(config.n_positions) and length > config.n_positions:
        raise ConfigError(
            f"seq_len {length} is beyond n_positions {config.n_positions}: the published model has learned no position "
            f"there; add --set n_positions={length}"
        )
    d_head = exact_div(width, config.n_head, "n_embd / n_head")
    ids = b.input("input_ids", (batch, seq), "int64")
    module = "" if ending == ALONE else "transformer"
    with b.scope(module):
        tokens = embedding(b, "wte", ids, config.vocab_size, width)
        position_ids = b.apply("arange", name="position_ids", batch=1, n=seq)
        positions = embedding(b, "wpe", position_ids, config.n_positions, width)
        b.hold(tokens, position_ids, positions)
        x = dropped(b, "drop", b.apply("add", tokens, positions, name="embed"), config.embd_pdrop, workload)
        constants: tuple[Value, ...] = (
            (b.apply("causal_mask", name="causal_mask", batch=batch, seq=seq, keys=length, dtype=b.dtype),)
            if workload.attention == "eager"
            else ()
        )
        constants += () if states is None else (states,)
        b.hold(*constants)
        body = partial(block, config, d_head, workload, crossing=states is not None)
        x = b.repeat("h", config.n_layer, body, x, constants=constants)
        x = layer_norm(b, "ln_f", x)
    if workload.phase == "train":
        b.hold(x)  # until the loss, which the model itself computes
    if ending == ALONE:
        return x
    classifier = labels_head(config, ending, tokens="classifier")
    if classifier is not None:
        from graphacct_architectures.classifier import classified

        return classified(classifier, workload, b, x, ids)
    tied = "transformer.wte.weight" if config.tie_word_embeddings else ""
    logits = linear(b, "lm_head", for_logits(b, x, workload), config.vocab_size, bias=False, tied_to=tied)
    return (logits, summary(config, b, x)) if ending == TWO_HEADS else logits


def summary(config: GPT2Config, b: Builder, x: Value) -> Value:
    """Returns one position of each sequence, or the mean of all, projected to a score as one of several choices.

    Its class has one label, whatever `num_labels` says. The loss is the language model's; gradients flow from both
    outputs.
    """
    seq = x.spec.shape[1]
    with b.scope("multiple_choice_head"):
        if config.summary_type == "mean":
            x = b.apply("mean", x, name="mean", dim=1)
        else:
            start = 0 if config.summary_type == "first" else seq - 1
            x = b.apply("slice", x, name="position", dim=1, start=start, length=1)
        if not config.summary_use_proj:
            return x
        return linear(b, "summary", x, 1 if config.summary_proj_to_labels else config.n_embd)


def block(
    config: GPT2Config, d_head: Dim, workload: Workload, b: Builder, x: Value, *tables: Value, crossing: bool = False
) -> Value:
    """Adds one transformer block. Its tables are a mask with eager attention, and if `crossing` what cross-attention
    attends to."""
    mask = tables[0] if workload.attention == "eager" else None
    b.hold(x)  # the loop over the layers still holds it
    y = layer_norm(b, "ln_1", x)
    with b.scope("attn"):
        b.hold(y)
        y, weights = attention(config, d_head, workload, b, y, mask)
    b.hold(y, *weights)
    x = b.apply("add", x, y, name="attn_residual")
    if config.add_cross_attention:
        x = crossed(config, d_head, workload, b, x, tables[-1] if crossing else None)
    y = layer_norm(b, "ln_2", x)
    b.hold(y)
    with b.scope("mlp"):
        inner = 4 * config.n_embd if config.n_inner is None else config.n_inner
        y = conv1d(b, "c_fc", y, inner)
        y = activation(b, ACTIVATIONS[config.activation_function], y)
        y = conv1d(b, "c_proj", y, config.n_embd)
        y = dropped(b, "dropout", y, config.resid_pdrop, workload)
    return b.apply("add", x, y, name="mlp_residual")


def attention(
    config: GPT2Config, d_head: Dim, workload: Workload, b: Builder, x: Value, mask: Value | None
) -> tuple[Value, tuple[Value, ...]]:
    """Adds causal self-attention over all heads, as separate nodes (with a mask) or as one fused operator.

    Returns the output and, with eager attention, the weights: the published module returns both.
    """
    joint = conv1d(b, "c_attn", x, 3 * config.n_embd)
    parts = b.apply("split", joint, name="qkv", parts=3)
    q, k, v = (split_heads(b, part, config.n_head, d_head, label) for part, label in zip(parts, "qkv", strict=True))
    b.hold(joint)
    weights: tuple[Value, ...] = ()
    k, v = with_cache(b, k, "k", workload), with_cache(b, v, "v", workload)
    if mask is None:
        drop = {"dropout_p": config.attn_pdrop} if workload.phase == "train" and config.attn_pdrop else {}
        y = b.apply("scaled_dot_product_attention", q, k, v, name="sdpa", causal=workload.phase != "decode", **drop)
    else:
        if config.reorder_and_upcast_attn and b.dtype != "float32":
            q, k = (
                b.apply("cast", part, name=f"{label}_wide", dtype="float32") for part, label in ((q, "q"), (k, "k"))
            )
        k = b.apply("transpose", k, name="k_last", dims=(-2, -1))
        scores = b.apply("matmul", q, k, name="scores")
        scores = b.apply("scale", scores, name="scale")
        scores = b.apply("add", scores, mask, name="mask")
        soft = b.apply("softmax", scores, name="softmax")
        if soft.spec.dtype != b.dtype:
            soft = b.apply("cast", soft, name="weights", dtype=b.dtype)
        if workload.phase == "train" and config.attn_pdrop:  # the published module casts them to the dtype of v
            soft = b.apply("as_product", soft, name="softmax_cast")
        weights = (dropped(b, "attn_dropout", soft, config.attn_pdrop, workload),)
        y = b.apply("matmul", *weights, v, name="values")
    y = conv1d(b, "c_proj", merge_heads(b, y), config.n_embd)
    return dropped(b, "resid_dropout", y, config.resid_pdrop, workload), weights


def attending(config: GPT2Config, workload: Workload, b: Builder, states: Value | None) -> Value | tuple[Value, ...]:
    """Returns the language model's logits; it attends to `states`. Raises ConfigError if it has no cross-attention."""
    if not config.add_cross_attention:
        raise ConfigError("add_cross_attention is not True: a decoder that attends to an encoder has it")
    return build(config, workload, b, states)


def crossed(config: GPT2Config, d_head: Dim, workload: Workload, b: Builder, x: Value, states: Value | None) -> Value:
    """Returns the stream with attention to another model's `states` added. Without them, keys and values are in a cache
    in decoding; in other phases the model runs alone, and the parameters are in memory."""
    width, drop = config.n_embd, config.attn_pdrop if workload.phase == "train" else 0.0
    alone = states is None and workload.phase != "decode"
    if alone:
        norm = [b.parameter(f"ln_cross_attn.{kind}", (width,)) for kind in ("weight", "bias")]
        resident(b, "ln_cross_attn", *norm)
    y = x if alone else layer_norm(b, "ln_cross_attn", x)
    with b.scope("crossattention"):
        if alone:
            for name, count in (("c_attn", 2), ("q_attn", 1), ("c_proj", 1)):
                set_aside(b, name, width, count * width)
            return x
        b.hold(y)
        q = split_heads(b, conv1d(b, "q_attn", y, width), config.n_head, d_head, "q")
        k, v = of_states(config, d_head, workload, b, states)
        if workload.attention == "fused":
            options = {"dropout_p": drop} if drop else {}
            y = b.apply("scaled_dot_product_attention", q, k, v, name="sdpa", causal=False, **options)
        else:
            scores = b.apply("matmul", q, b.apply("transpose", k, name="k_last", dims=(-2, -1)), name="scores")
            soft = b.apply("softmax", b.apply("scale", scores, name="scale"), name="softmax")
            if drop:
                soft = b.apply("as_product", soft, name="softmax_cast")
            weights = dropped(b, "attn_dropout", soft, drop, workload)
            b.hold(weights)
            y = b.apply("matmul", weights, v, name="values")
        y = conv1d(b, "c_proj", merge_heads(b, y), width)
        y = dropped(b, "resid_dropout", y, config.resid_pdrop, workload)
    b.hold(y)
    return b.apply("add", x, y, name="cross_residual")


def of_states(
    config: GPT2Config, d_head: Dim, workload: Workload, b: Builder, states: Value | None
) -> tuple[Value, ...]:
    """Returns keys and values (batch, heads, places, d_head) of another model's output, projected once and then kept in
    a cache that does not grow."""
    kept = workload.kv_dtype or b.dtype
    if states is None:
        set_aside(b, "c_attn", config.n_embd, 2 * config.n_embd)
        shape = (workload.batch, config.n_head, workload.encoder_seq_len, d_head)
        parts = [b.apply("kv_cache", name=f"{label}_cache", shape=shape, dtype=kept) for label in "kv"]
    else:
        joint = conv1d(b, "c_attn", states, 2 * config.n_embd)
        halves = b.apply("split", joint, name="kv", parts=2)
        parts = [split_heads(b, part, config.n_head, d_head, label) for part, label in zip(halves, "kv", strict=True)]
        b.hold(joint)
        if workload.phase != "prefill":
            return tuple(parts)
        if kept != b.dtype:
            parts = [
                b.apply("cast", x, name=f"{label}_as_cached", dtype=kept) for x, label in zip(parts, "kv", strict=True)
            ]
        parts = [b.apply("concat", x, name=f"{label}_cached", dim=-2) for x, label in zip(parts, "kv", strict=True)]
    for part, label in zip(parts, "kv", strict=True):
        b.emit(b.apply("kv_keep", part, name=f"{label}_kept", grows=False))
    return tuple(parts)


def set_aside(b: Builder, name: str, width: Dim, outputs: Dim) -> None:
    """Adds the parameters of a projection that does not run."""
    resident(b, name, b.parameter(f"{name}.weight", (width, outputs)), b.parameter(f"{name}.bias", (outputs,)))


ARCHITECTURE = Architecture(
    "gpt2",
    GPT2Config,
    Crossing(build, attending, "GPT2LMHeadModel"),
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: config.n_positions},
    attention=("fused", "eager"),
    dtype="float32",
    phases=("forward", "train", "prefill", "decode"),
    last_logits=True,
    losses=class_losses(cross_entropy),
    default_loss=default_loss,
    aliases={
        "torch_dtype": "dtype",
        "id2label": "num_labels",
        **GPT2,
        "n_ctx": "n_positions",
    },
    translated=frozenset(GPT2),
    model_types=("gpt2",),
    doc="GPT-2: learned positions, LayerNorm, biases, tanh-GELU, tied head.",
)
