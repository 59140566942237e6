"""What mixes positions in a layer of a decoder: attention of every kind, or what stands in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphacct import Builder, Dim, Value, Workload, frozen
from graphacct_architectures.decoders.parts.description.norm import Norm

ABSORBED = "absorbed"
"""The kind of attention that expands no cached latent."""


@frozen
class Latent:
    """Keys and values that are expanded from one latent shared by all heads.

    Attributes:
        rank: The latent's width.
        values: Width of a head of values.
        query_rank: Width of the queries' own latent; None if they are projected directly.
        turned: Whether the last `rotary` dimensions of each head are rotated; otherwise the keys' are still shared by
            all heads.
        scaled: Whether queries and the latent of keys and values are each multiplied by a constant.
        gated: Whether one projection, `q_gate_proj`, makes the queries and a gate of the heads' outputs from the
            queries' latent side by side with itself before its norm.
    """

    rank: Dim
    values: Dim
    query_rank: Dim | None = None
    turned: bool = True
    scaled: bool = False
    gated: bool = False


@frozen
class Indexer:
    """Small heads that choose the keys each query sees: the `top` with the best scores.

    Attributes:
        heads: Its heads of queries; the keys have one.
        d_head: Their width.
        top: How many keys a query sees; all if there are fewer.
        own: Whether the layer has an indexer of its own; if not, it takes the keys that an earlier layer chose.
        handed_on: Whether each layer hands the chosen keys on to the next.
        halves: Whether the rotated part of a head is written as two products and their sum, in its own order.
        module: The module's name.
        last: Whether the last dimensions of a head are rotated, and not the first.
        stored_wide: Whether the keys' norm and the projection to weights are stored in float32.
    """

    heads: Dim
    d_head: Dim
    top: Dim
    own: bool = True
    handed_on: bool = False
    halves: bool = True
    module: str = "indexer"
    last: bool = False
    stored_wide: bool = False


@frozen
class BlockIndexer:
    """Small heads that choose the blocks of keys each query sees, one choice for each group of heads.

    Attributes:
        heads: Its heads of queries; the keys have one.
        d_head: Their width.
        size: How many keys a block has.
        top: How many blocks a query sees; all if there are fewer.
        near: How many blocks just before a query it always sees.
        module: The module's name.
    """

    heads: Dim
    d_head: Dim
    size: Dim
    top: Dim
    near: int
    module: str = "indexer"


@frozen
class Attention:
    """Self-attention, in which query heads may share heads of keys and values.

    Attributes:
        heads: Query heads.
        kv_heads: Heads of keys and values; 1 is multi-query attention.
        d_head: Width of a head of queries and keys, and of values unless they come from a latent.
        module: The module's name.
        q, k, v, out: The projections' names.
        joint: The name of one projection for q, k and v together; empty if they are three.
        joint_order: The order of its parts, a word of `joint.py`.
        kv_broadcast: Whether one head of keys and values is given to the products of all query heads as it is, and
            torch broadcasts it, which its fused kernels refuse.
        bias: Whether the projections of q, k and v have biases.
        out_bias: Whether the output projection has one.
        rotary: How many dimensions of a head are rotated by its position; 0 for none.
        rotary_tables: Which of the decoder's rotary tables it reads.
        rotary_joined: Whether the rotated part of a head and the rest are joined even if there is no rest, a copy.
        rotary_repeated: When the tables are repeated for both elements of a pair, a word of `rotary.py`; empty if they
            are made for all elements at once.
        alibi: Whether a slope times the distance is added to the scores (ALiBi).
        window: How many positions back it sees, its own included; None for all.
        reach: How many positions before and after its own it sees within a window if it goes both ways; None for one
            less than the window.
        window_stored: Whether written-out attention masks with a buffer of each layer, which has its window, before it
            adds the mask that all layers share.
        window_cached: Whether a cache holds no more than the window.
        chunked: Whether the window is one of the chunks that the sequence is cut into, and not the last positions.
        qk_norm: `head`: one norm of d_head shared by all heads of q or k; `gains`: the same with a gain for each head;
            `heads`: a norm for each head; `width`: one norm over all heads together.
        qk_norm_names: The norms' names.
        qk_norm_kind: Their kind; None for the kind of the layer's norms.
        scaled: Whether the scores are divided by a constant.
        query_scaled: Whether the queries are divided by a constant.
        upcast: The part that always runs in float32: the `softmax`, the `scores` with it, or none (empty).
        softcap: Whether the scores are capped by a tanh.
        sinks: Whether each head has a learned score that belongs to no key (an attention sink).
        masked: Whether fused attention gets a mask even if it is causal and no more.
        causal: Whether a token sees only those before it; otherwise also those after it, as far as a window reaches.
        dropout: The probability with which weights are dropped in training.
        latent: The latent that keys and values are expanded from; None if they are projected directly. With a latent,
            the last `rotary` dimensions of each head are rotated, all heads share the rotated ones of the keys, and
            `bias` is for the projections to latents.
        clamped: Whether queries, keys and values are clamped to a range.
        qk_norm_last: Whether queries and keys are normalized after they are rotated.
        position_scaled: Whether queries are multiplied by a factor that grows with their position.
        position_scaled_wide: Whether that product runs in float32, with positions that the layer makes itself.
        out_norm: The name of a norm of the heads' outputs side by side, before the output projection; empty for none.
        gate: The name of a projection that multiplies them after its activation; empty for none.
        gate_by: Its activation.
        gate_per_head: Whether it has one element for each head.
        values: Width of a head of values if it differs from that of queries and keys.
        values_scaled: Whether the values are multiplied by a constant.
        less_largest: Whether written-out attention subtracts the largest score of each row.
        in_out: Whether the projections' weights are stored (in, out).
        mask_filled: Whether written-out attention fills in the mask, which is of bools, instead of adding it.
        gated: Whether the projection of queries also has a gate for each head, whose sigmoid multiplies the output.
        key_scaled: Whether the keys are multiplied by a constant.
        unmasked: Whether attention that goes both ways and has no window adds no mask to its scores.
        indexer: What chooses the keys that each query sees; None if it sees all that the mask allows.
        values_norm: The kind of a norm `v_norm` of each head of values; None for none.
        values_from_keys: Whether the projection of the keys is also that of the values.
        key_bias: Whether the projection of k has a bias; None if it has what that of q has.
        rotary_wide: Whether each layer casts the rotary tables to float32, and rotates in it.
        sinks_after: Whether written-out attention applies the sinks to its output, times sigmoid(log-sum of the scores'
            exponentials - sink), which is the same number as a column more in the softmax.
        gate_wide: Whether the gate's activation runs in float32.
        out_shift: The name of a bias of the output that belongs to the module itself; empty for none.
        kv_joint: The name of one projection for keys and values together, head by head; empty if they are two.
        gate_bias: Whether the gate's projection has a bias.
        sinks_wide: Whether the sinks are stored in float32 whatever the model's dtype is, which makes written-out
            attention's softmax run in it.
        blocks: What chooses the blocks of keys that each query sees; None if it sees all that the mask allows.
        sinks_alone: Whether written-out attention with a column of sinks subtracts no largest score of its own.
        differential: Whether a second attention is subtracted: each half of the heads of values is attended to by all
            queries, and the second half of the heads' outputs, times learned numbers, taken from the first.
    """

    heads: Dim
    kv_heads: Dim
    d_head: Dim
    module: str = "self_attn"
    q: str = "q_proj"
    k: str = "k_proj"
    v: str = "v_proj"
    out: str = "o_proj"
    joint: str = ""
    joint_order: str = "side by side"
    kv_broadcast: bool = False
    bias: bool = False
    out_bias: bool = False
    rotary: Dim = 0
    rotary_tables: str = "rotary_emb"
    rotary_joined: bool = False
    rotary_repeated: str = ""
    alibi: bool = False
    window: Dim | None = None
    reach: tuple[Dim, Dim] | None = None
    window_stored: bool = False
    window_cached: bool = True
    chunked: bool = False
    qk_norm: str = ""
    qk_norm_names: tuple[str, str] = ("q_norm", "k_norm")
    qk_norm_kind: Norm | None = None
    scaled: bool = True
    query_scaled: bool = False
    upcast: str = "softmax"
    softcap: bool = False
    sinks: bool = False
    masked: bool = False
    causal: bool = True
    dropout: float = 0.0
    latent: Latent | None = None
    clamped: bool = False
    qk_norm_last: bool = False
    position_scaled: bool = False
    position_scaled_wide: bool = False
    out_norm: str = ""
    gate: str = ""
    gate_by: str = "sigmoid"
    gate_per_head: bool = False
    values: Dim | None = None
    values_scaled: bool = False
    less_largest: bool = False
    in_out: bool = False
    mask_filled: bool = False
    gated: bool = False
    key_scaled: bool = False

    @property
    def value_width(self) -> Dim:
        """The width of a head of values."""
        return self.d_head if self.values is None else self.values

    unmasked: bool = False
    indexer: Indexer | None = None
    values_norm: Norm | None = None
    values_from_keys: bool = False
    key_bias: bool | None = None
    rotary_wide: bool = False
    sinks_after: bool = False
    gate_wide: bool = False
    out_shift: str = ""
    differential: bool = False
    kv_joint: str = ""
    gate_bias: bool = False
    sinks_wide: bool = False
    blocks: BlockIndexer | None = None
    sinks_alone: bool = False


@frozen
class Mixing:
    """What mixes positions in a layer without attention: a scan, linear attention, a convolution.

    Attributes:
        module: The module's name.
        settings: The mechanism's sizes, a value that can be hashed.
        apply: The function that adds the mechanism, given the settings, the workload, the builder in the module's scope
            and the normalized stream (batch, seq, width); it returns the output in the same shape.
    """

    module: str
    settings: Any
    apply: Callable[[Any, Workload, Builder, Value], Value]
