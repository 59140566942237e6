"""The description of a decoder: plain values that a family fills in.

Names are those of the published checkpoint's modules. Empty or None means that the model has no such part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import attrs

from graphacct import Builder, Dim, Value, Workload
from graphacct_architectures.classifier import Classifier

RMS, LAYER_NORM = "rms_norm", "layer_norm"
NOTHING = "nothing"
"""In place of a part that a layer does not have."""
EMBEDDING = "embedding"
"""The name of the embedding's copy that layers are given."""


@attrs.frozen
class Norm:
    """A kind of normalization.

    Attributes:
        kind: `rms_norm` or `layer_norm`.
        weight: Whether it has a gain (OLMo's first models have none).
        bias: Whether it has a bias.
        centred: Whether the stored weight is the gain minus 1, so that a weight of 0 changes nothing.
        upcast: The part of an RMSNorm that always runs in float32: the `norm` before the weight, `all` of it, or the
            `statistics` alone. A LayerNorm is torch's own unless it is `all`.
        cast: Whether torch's own norm runs on a copy of the stream in float32.
        power: Whether an RMSNorm's root is written as a power of -½.
        weight_wide: Whether an RMSNorm wholly in float32 first casts its weight too.
        stored_wide: Whether its weight is stored in float32 whatever the model's dtype is.
        gate_rank: The rank of two projections of the normalized rows, there and back, whose sigmoid multiplies them;
            None for none.
    """

    kind: str = RMS
    weight: bool = True
    bias: bool = False
    centred: bool = False
    upcast: str = "norm"
    cast: bool = False
    power: bool = False
    weight_wide: bool = False
    stored_wide: bool = False
    gate_rank: Dim | None = None


@attrs.frozen
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


@attrs.frozen
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


@attrs.frozen
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


@attrs.frozen
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
        window_stored: Whether written-out attention masks with a buffer of each layer, which has its window, before it
            adds the mask that all layers share.
        window_cached: Whether a cache holds no more than the window.
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
    window_stored: bool = False
    window_cached: bool = True
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


@attrs.frozen
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


@attrs.frozen
class Mlp:
    """A feed-forward network of one hidden layer.

    Attributes:
        width: The hidden layer's width.
        activation: Its operator, or several separated by spaces, the first applied first.
        gated: Whether the activation of one projection is multiplied with another.
        module: The module's name; empty if its projections are the layer's own.
        gate, up, down: The projections' names.
        joint: The name of one projection for gate and up together; empty if they are two.
        bias: Whether the projections have biases.
        dropout: The probability with which the hidden layer is dropped in training.
        norm: The name of a norm of the hidden layer; empty for none.
        act: The activation's name.
        in_out: Whether the projections' weights are stored (in, out).
        scaled: Whether the gate's projection and the output are each multiplied by a constant.
        cut: Whether the activated gate and the other projection are clamped.
        down_bias: Whether the way back has a bias; None if as the others.
        cut_first: Whether the gate is clamped from above, and the other projection from both sides, before the
            activation.
        clamped: Whether gate and projection are clamped to a range, as in gpt-oss; then they are joint.
    """

    width: Dim
    activation: str
    gated: bool = True
    module: str = "mlp"
    gate: str = "gate_proj"
    up: str = "up_proj"
    down: str = "down_proj"
    joint: str = ""
    bias: bool = False
    dropout: float = 0.0
    norm: str = ""
    act: str = "act"
    in_out: bool = False
    scaled: bool = False
    cut: bool = False
    down_bias: bool | None = None
    cut_first: bool = False
    clamped: bool = False


@attrs.frozen
class Correction:
    """One score per expert that is added for the choice of experts alone, so that their loads stay even.

    Attributes:
        name: Its name.
        beside: Whether it belongs to the experts' module instead of the router's.
        frozen: Whether it is a parameter that is not trained, and not a buffer.
        row: Whether it is stored as a matrix of one row.
        wide: Whether it is stored in float32 whatever the model's dtype is.
    """

    name: str = "e_score_correction_bias"
    beside: bool = False
    frozen: bool = False
    row: bool = False
    wide: bool = True


@attrs.frozen
class Experts:
    """Feed-forward networks of which a router chooses a few for each token.

    Attributes:
        count: How many there are.
        per_token: How many a token runs through.
        width: The width of one expert's hidden layer.
        activation: Its operator or operators, as in Mlp.
        module: The module's name.
        router: The router's name.
        bias: Whether the experts' projections have biases.
        router_bias: Whether the router has one.
        in_out: Whether the experts' weights are stored (in, out).
        router_upcast: Whether the router's product always runs in float32.
        scoring: The router's scores: `softmax` over all experts, `top_softmax` over the chosen ones, `sigmoid` or
            `sqrt_softplus` of all, `top_sigmoid` of the chosen ones (`chosen_sigmoid` where a correction chose them),
            or `mixer`: each choice is a softmax over the scores near the largest.
        normalised: Whether the chosen weights are made to sum to 1.
        correction: Whether the choice is corrected by a buffer of one score per expert.
        downcast: Whether the weights are cast to the stream's dtype before they multiply the experts' outputs.
        scaled: Whether the weights are multiplied by a constant.
        groups: How many groups of experts the choice is first made among.
        chosen_groups: How many of these groups are taken.
        clamped: Whether gate and projection are clamped to a range, as in gpt-oss.
        shared: The network that every token runs through, or None.
        shared_gate: The name of its gate; empty for none.
        above_zero: The operator that keeps the chosen weights' sum above zero before it divides them: `shift`, `clamp`,
            or none (empty).
        corrected_by: The correction, if there is one.
        grouped: Whether the choice is made among groups even if there is one group.
        scores_upcast: Whether the router's product is cast to float32.
        router_wide: Whether the router's weight is stored in float32.
        shared_beside: Whether the shared network belongs to the layer instead of the experts' module.
        every: Whether every token runs through every expert; what it is multiplied by is 0 for those not chosen.
        out_norm: The name of a norm of the experts' output, the shared network's included; empty for none.
        shared_wide: Whether the shared network's output is added in float32.
        shared_averaged: Whether the sum with the shared network's output is multiplied by a constant.
        out_scaled: Whether the experts' output is multiplied by a constant before the shared network's is added.
        top_upcast: Whether a softmax over the chosen scores runs in float32.
        scores_capped: Whether the router's product is capped by a tanh.
        apart: The names of three weights that are stored apart, as matrices of all experts' rows: gate, projection and
            the way back, the last one (in, out); empty for two that are stacked.
        gated: Whether an expert is gated, as in Mlp.
        latent: The width that the stream is projected to before the experts, and back from after them; None for none.
        latent_in, latent_out: The names of these projections.
        latent_bias: Whether they have biases.
        cut: Whether the activated gate and the other projection are clamped.
        shared_mix: The name of a projection to two shares, by whose softmax the experts' output and the shared
            network's are added; empty for none.
        cut_first: Whether gate and the other projection are clamped before the activation, as in Mlp.
        hashed: How many ids a table has that says which experts a token runs through, by its id; None if the scores
            say.
        softmax_narrow: Whether a softmax over all experts runs in the scores' own dtype, not in float32.
        groups_by_two: Whether a group is as good as its two best experts even if there is no correction.
        router_weight: The name of the router's weight.
        idle: How many more experts can be chosen that give back what they get. What is computed counts as if every
            expert were chosen as often as any other.
    """

    count: Dim
    per_token: Dim
    width: Dim
    activation: str
    module: str = "mlp"
    router: str = "gate"
    bias: bool = False
    router_bias: bool = False
    in_out: bool = False
    router_upcast: bool = False
    scoring: str = "softmax"
    normalised: bool = False
    correction: bool = False
    downcast: bool = False
    scaled: bool = False
    groups: Dim = 1
    chosen_groups: Dim = 1
    clamped: bool = False
    shared: Mlp | None = None
    shared_gate: str = ""
    above_zero: str = ""
    corrected_by: Correction = Correction()
    grouped: bool = False
    scores_upcast: bool = False
    router_wide: bool = False
    shared_beside: bool = False
    every: bool = False
    out_norm: str = ""
    apart: tuple[str, ...] = ()
    shared_wide: bool = False
    shared_averaged: bool = False
    out_scaled: bool = False
    top_upcast: bool = False
    scores_capped: bool = False
    gated: bool = True
    latent: Dim | None = None
    latent_in: str = "fc1_latent_proj"
    latent_out: str = "fc2_latent_proj"
    latent_bias: bool = False
    cut: bool = False
    shared_mix: str = ""
    cut_first: bool = False
    hashed: Dim | None = None
    softmax_narrow: bool = False
    groups_by_two: bool = False
    router_weight: str = "weight"
    idle: Dim = 0


FeedForward: TypeAlias = Mlp | Experts


@attrs.frozen
class Whole:
    """A layer of a shape of its own.

    Attributes:
        settings: Its sizes, a value that can be hashed.
        apply: The function that adds it, given the settings, the workload, the builder in the layer's scope, the stream
            and the tables; it returns the stream, and what else the decoder's `middle` asks of it.
    """

    settings: Any
    apply: Callable[[Any, Workload, Builder, Value, Mapping[str, Value]], Any]


@attrs.frozen
class Layer:
    """One layer: attention and a feed-forward network, each added to the stream.

    Attributes:
        attention: Its attention, or what stands in its place.
        feed_forward: Its feed-forward network.
        norm: Its norms' kind.
        attention_norm, attention_post_norm: The norms' names before and after attention.
        mlp_norm, mlp_post_norm: The norms' names before and after the network. In a parallel layer an empty `mlp_norm`
            means that both read the same normalized stream.
        attention_stream_norm, mlp_stream_norm: The names of norms of the stream itself, after the output of each is
            added.
        residual_normed: Whether an output is added to the normalized stream instead of the stream itself.
        parallel: Whether attention and network read the same stream and are added together.
        stream_last: Whether a parallel layer normalizes the network's input after attention has run, and first adds the
            two outputs to each other.
        outputs_joined: Whether a parallel layer adds the two outputs to each other, and their sum to the stream.
        residual_scaled: Whether each output is multiplied by a constant before it is added.
        dropout: The dropout probability of both outputs, in training.
        attention_dropout: The same of attention's output alone, if it has its own; None if it has not.
        attention_instead, network_instead: The name of a projection of the stream's width that stands in the module in
            place of attention or of the network; `nothing` if the layer has no such part and no norm before it; empty
            for the part itself.
        instead_bias: Whether such projections have biases, of attention and of the network.
        beside: What mixes positions beside attention, before it and of the same normalized stream; both outputs are
            added to each other. Its output, attention's input and attention's output are each multiplied by a constant.
        whole: The layer itself if it has another shape; its attention then says which tables it reads.
        base_scaled: Whether what an output is added to is multiplied by a constant too.
        mlp_norm_kind: The kind of the norm before the network if it is another; None if it is `norm`.
        scales: The names of parameters of the stream's width that multiply attention's output and the network's; empty
            for none.
    """

    attention: Attention | Mixing
    feed_forward: FeedForward
    norm: Norm = Norm()
    attention_norm: str = "input_layernorm"
    attention_post_norm: str = ""
    mlp_norm: str = "post_attention_layernorm"
    mlp_post_norm: str = ""
    attention_stream_norm: str = ""
    mlp_stream_norm: str = ""
    residual_normed: bool = False
    parallel: bool = False
    stream_last: bool = False
    outputs_joined: bool = False
    residual_scaled: bool = False
    dropout: float = 0.0
    attention_dropout: float | None = None
    attention_instead: str = ""
    network_instead: str = ""
    instead_bias: tuple[bool, bool] = (False, False)
    beside: Mixing | None = None
    whole: Whole | None = None
    base_scaled: bool = False
    mlp_norm_kind: Norm | None = None
    scales: tuple[str, str] = ("", "")


@attrs.frozen
class Middle:
    """What runs between the embedding and the last norm if it is more than the layers one after another.

    Attributes:
        settings: Its sizes, a value that can be hashed.
        apply: The function that adds it, given the settings, the decoder, the workload, the builder in the model's
            scope, the ids (batch, seq), the stream (batch, seq, width) and the tables of all layers; it returns the
            stream.
    """

    settings: Any
    apply: Callable[[Any, Any, Workload, Builder, Value, Value, Mapping[str, Value]], Value]


@attrs.frozen
class Positions:
    """A table of learned positions.

    Attributes:
        name: The table's name.
        count: The number of its rows, spare ones included.
        per_sequence: Whether each sequence of a batch has ids of its own.
        computed: Whether the table is computed when the model is made, and not learned.
    """

    name: str
    count: Dim
    per_sequence: bool = False
    computed: bool = False


@attrs.frozen
class Transform:
    """A dense layer, an activation and a norm between a decoder's last norm and its head.

    Attributes:
        module: The module's name; its parts are `dense` and `norm`.
        bias: Whether the dense layer has a bias.
        activation: The operator, or several separated by spaces.
        norm: The norm's kind.
    """

    module: str
    bias: bool
    activation: str
    norm: Norm


@attrs.frozen
class Decoder:
    """A decoder-only language model, or another class built on it.

    Attributes:
        vocab_size: Rows of the embedding.
        width: The width of the stream.
        layer: Its layers, first to last, which are folded if they repeat; or one Layer if all are equal.
        count: The number of layers, if all are equal.
        module: The name of the module around everything but the head.
        embedding: The token embedding's name.
        embedding_width: The width of its rows if it differs from the stream's, in which case two projections convert
            between them.
        project_in, project_out: Their names.
        embedding_scaled: Whether its rows are multiplied by a constant.
        embedding_norm: The name of a norm of the embedding; empty for none.
        positions: A table of learned positions, or None.
        stack: The layers' name.
        norm: The last norm's name; empty for none.
        norm_kind: Its kind.
        head: The head's name.
        head_bias: Whether it has a bias.
        tied: Whether it shares the embedding's storage.
        logits_scaled: Whether the logits are multiplied by a constant.
        logits_softcap: Whether they are capped by a tanh.
        rotary_tables: The names of the modules that make rotary tables, with how many dimensions they rotate.
        rotary_stored: How many positions the tables have that are made with the model, in float32, sine and cosine of
            each pair side by side; 0 if they are made in each pass.
        rotary_cast: Whether the tables are cast to the model's dtype; if not, queries and keys are rotated in float32.
        rotary_halves: Whether the tables hold each angle once, and a rotated tensor is joined from its two halves.
        rotary_complex: Whether the tables hold complex numbers: cosine and sine once per pair, always in float32.
        most_positions: The configuration key that limits the positions, and the limit; None for no limit.
        embedding_dropout: The dropout probability of the embedding, in training.
        classifier: The classification head in place of the language model's, or None.
        headless: Whether there is no head: the output is the stream after the last norm.
        embedding_given: Whether layers are given a copy of the embedding.
        stream_scaled: Whether the stream is multiplied by a constant before the head.
        middle: What runs in place of the plain layers; None for these.
        embedding_spare: Rows of the embedding behind the vocabulary, which the head does not have.
        embedding_normed: The kind of a norm of the embedding's rows, images' not included; None for none.
        embedding_tied_to: The full name of the tensor whose storage the embedding shares, if it does not own it.
        head_wide: Whether the head runs in float32, in which its weight is stored unless it is the embedding's.
        transform: What the stream goes through before the head; None for nothing.
        last_dropout: The dropout probability of the stream after the last norm, in training.
    """

    vocab_size: Dim
    width: Dim
    layer: Layer | tuple[Layer, ...]
    count: Dim = 0
    module: str = "model"
    embedding: str = "embed_tokens"
    embedding_width: Dim | None = None
    project_in: str = "project_in"
    project_out: str = "project_out"
    embedding_scaled: bool = False
    embedding_norm: str = ""
    positions: Positions | None = None
    stack: str = "layers"
    norm: str = "norm"
    norm_kind: Norm = Norm()
    head: str = "lm_head"
    head_bias: bool = False
    tied: bool = False
    logits_scaled: bool = False
    logits_softcap: bool = False
    rotary_tables: tuple[tuple[str, Dim], ...] = ()
    rotary_stored: Dim = 0
    rotary_cast: bool = True
    rotary_halves: bool = False
    rotary_complex: bool = False
    most_positions: tuple[str, Dim] | None = None
    embedding_dropout: float = 0.0
    classifier: Classifier | None = None
    headless: bool = False
    embedding_given: bool = False
    stream_scaled: bool = False
    middle: Middle | None = None
    embedding_spare: Dim = 0
    embedding_normed: Norm | None = None
    embedding_tied_to: str = ""
    head_wide: bool = False
    transform: Transform | None = None
    last_dropout: float = 0.0

    @property
    def kinds(self) -> tuple[Layer, ...]:
        """The distinct kinds of its layers."""
        return (self.layer,) if isinstance(self.layer, Layer) else tuple(dict.fromkeys(self.layer))
