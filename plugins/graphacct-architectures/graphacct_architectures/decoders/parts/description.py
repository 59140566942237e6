"""The description of a decoder: plain values that a family fills in.

Names are those of the published checkpoint's modules. Empty or None means that the model has no such part.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import attrs

from graphacct import Builder, Dim, Value, Workload
from graphacct_architectures.classifier import Classifier

RMS, LAYER_NORM = "rms_norm", "layer_norm"


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
    """

    kind: str = RMS
    weight: bool = True
    bias: bool = False
    centred: bool = False
    upcast: str = "norm"


@attrs.frozen
class Latent:
    """Keys and values that are expanded from one latent shared by all heads.

    Attributes:
        rank: The latent's width.
        values: Width of a head of values.
        query_rank: Width of the queries' own latent; None if they are projected directly.
    """

    rank: Dim
    values: Dim
    query_rank: Dim | None = None


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
        gated: Whether the projection of queries also has a gate for each head, whose sigmoid multiplies the output.
        key_scaled: Whether the keys are multiplied by a constant.
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
    gated: bool = False
    key_scaled: bool = False


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
        scaled: Whether the gate's projection and the output are each multiplied by a constant.
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
    scaled: bool = False


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
        logits_upcast: Whether its result is cast to float32 before the choice.
        scoring: The router's scores: `softmax` over all experts, `top_softmax` over the chosen ones, or `sigmoid`.
        normalised: Whether the chosen weights are made to sum to 1.
        correction: Whether the choice is corrected by a buffer of one score per expert.
        downcast: Whether the weights are cast to the stream's dtype before they multiply the experts' outputs.
        scaled: Whether the weights are multiplied by a constant.
        groups: How many groups of experts the choice is first made among.
        chosen_groups: How many of these groups are taken.
        clamped: Whether gate and projection are clamped to a range, as in gpt-oss.
        shared: The network that every token runs through, or None.
        shared_gate: The name of its gate; empty for none.
        correction_name: The name of the correction's buffer.
        correction_outside: Whether the buffer is beside the router, not in it.
        gated: Whether an expert is gated, as in Mlp.
        shared_outside: Whether the shared network is a module of the layer, beside the experts' module.
        latent: The width that the stream is projected to before the experts, and back from after them; None for none.
        latent_in, latent_out: The names of these projections.
        latent_bias: Whether they have biases.
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
    correction_name: str = "e_score_correction_bias"
    correction_outside: bool = False
    gated: bool = True
    shared_outside: bool = False
    latent: Dim | None = None
    latent_in: str = "fc1_latent_proj"
    latent_out: str = "fc2_latent_proj"
    latent_bias: bool = False
    logits_upcast: bool = False


FeedForward: TypeAlias = Mlp | Experts


@attrs.frozen
class Layer:
    """One layer: attention and a feed-forward network, each added to the stream.

    Attributes:
        attention: Its attention, or what stands in its place; None for neither.
        feed_forward: Its feed-forward network, or None.
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
        beside: What mixes positions beside attention, before it and of the same normalized stream; both outputs are
            added to each other. Its output, attention's input and attention's output are each multiplied by a constant.
    """

    attention: Attention | Mixing | None
    feed_forward: FeedForward | None
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
    beside: Mixing | None = None


@attrs.frozen
class Positions:
    """A table of learned positions.

    Attributes:
        name: The table's name.
        count: The number of its rows, spare ones included.
        per_sequence: Whether each sequence of a batch has ids of its own.
    """

    name: str
    count: Dim
    per_sequence: bool = False


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

    @property
    def kinds(self) -> tuple[Layer, ...]:
        """The distinct kinds of its layers."""
        return (self.layer,) if isinstance(self.layer, Layer) else tuple(dict.fromkeys(self.layer))
