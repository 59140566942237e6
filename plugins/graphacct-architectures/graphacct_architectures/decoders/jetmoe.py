"""JetMoE: experts in attention, each with queries and an output projection of its own, beside keys and values that all
share; and experts in place of the network.

Shen et al., 2024 (arXiv:2404.07413); names and order as in the transformers library's JetMoeForCausalLM.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphacct import Builder, Dim, PresetFiles, Value, Workload, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.attention import attended
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer, Whole
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.rotary import both_rotated
from graphacct_architectures.decoders.parts.sparse import at_most
from graphacct_architectures.decoders.parts.usual import around
from graphacct_architectures.heads import ALONE, CAUSAL, SEQUENCE
from graphacct_architectures.layers import activation as activated
from graphacct_architectures.layers import linear, split_heads, with_cache

NORM = Norm()
EXPERTS = "experts"


@frozen(kw_only=True)
class JetMoeConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(32000)
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Dim = fields.size(5632)
    num_hidden_layers: Dim = fields.size(12)
    num_key_value_heads: Dim | None = fields.size(16)
    kv_channels: Dim = fields.size(128)
    max_position_embeddings: Dim = fields.size(4096)
    activation_function: str = activation("silu")
    num_local_experts: Dim = fields.size(8)
    num_experts_per_tok: Dim = fields.size(2)
    tie_word_embeddings: bool = fields.flag(True)

    @property
    def d_head(self) -> Dim:
        """The width of a head, which two keys can give."""
        return self.kv_channels if self.head_dim is None else self.head_dim


@frozen
class JetMoeLayer:
    """One layer.

    Attributes:
        attention: Its attention, with as many heads of keys and values, once repeated, as of queries.
        count, per_token: Experts, and how many a token runs through.
        width: The hidden layer of an expert of the network.
        activation: Its operator.
    """

    attention: Attention
    count: Dim
    per_token: Dim
    width: Dim
    activation: str

    @property
    def shared(self) -> Dim:
        """Heads of keys and values, which the chosen experts' queries share."""
        return self.attention.heads // self.per_token


@frozen
class Routes:
    """Where the tokens of a layer go: the row that each place reads, the order of rows and of places, the ends of each
    expert's, and the weights."""

    tokens: Value
    order: Value
    places: Value
    ends: Value
    weights: Value


def routed(s: JetMoeLayer, b: Builder, rows: Value) -> Routes:
    """Returns the experts of each row (rows, width) and their weights: a softmax over the chosen scores, in float32."""
    count = rows.spec.shape[0] * s.per_token
    with b.scope("router"):
        scores = linear(b, "layer", rows, s.count, bias=False)
        if b.dtype != "float32":
            scores = b.apply("cast", scores, name="wide", dtype="float32")
        best, ids = b.apply("topk", scores, name="topk", k=s.per_token)
        weights = b.apply("softmax", best, name="softmax")
        if b.dtype != "float32":
            weights = b.apply("cast", weights, name="narrowed", dtype=b.dtype)
        ids = b.apply("reshape", ids, name="ids", shape=(count,))
        options = {"experts": s.count, "per_token": s.per_token}
        tokens, order, places, ends, _ = b.apply("by_expert", ids, name="by_expert", **options)
        weights = b.apply("reshape", weights, name="flat_weights", shape=(count,))
        weights = b.apply("index_select", weights, order, name="ordered_weights")
    return Routes(tokens, order, places, ends, weights)


def project(s: JetMoeLayer, b: Builder, name: str, x: Value, r: Routes, width: Dim) -> Value:
    """Returns rows in the order of experts, each through its expert's matrix."""
    weight = b.parameter(f"{name}.weight", (s.count, width, x.spec.shape[-1]))
    y: Value = b.apply("grouped_linear", x, weight, r.ends, name=name, per_token=s.per_token)
    return y


def summed(s: JetMoeLayer, b: Builder, x: Value, r: Routes, tokens: Dim) -> Value:
    """Returns what the experts make of each token, weighted and added up, with the module's bias."""
    width = x.spec.shape[-1]
    weights = b.apply("reshape", r.weights, name="weights", shape=(tokens * s.per_token, 1))
    x = b.apply("mul", x, weights, name="weighted")
    zeros = b.apply("full", name="zeros", shape=(tokens, width), dtype=b.dtype)
    x = b.apply("index_add", zeros, r.tokens, x, name="summed", dim=0)
    return x


def jetmoe_layer(s: JetMoeLayer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Returns the stream after one layer."""
    y = normed_by(b, "input_layernorm", x, NORM)
    with b.scope(s.attention.module):
        b.hold(y)
        y, weights = attention(s, workload, b, y, tables)
    b.hold(*weights)
    x = b.apply("add", x, y, name="attn_residual")
    y = normed_by(b, "post_attention_layernorm", x, NORM)
    with b.scope("mlp"):
        b.hold(y)
        y = network(s, b, y)
    found: Value = b.apply("add", x, y, name="mlp_residual")
    return found


def attention(
    s: JetMoeLayer, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]
) -> tuple[Value, tuple[Value, ...]]:
    """Returns attention's output, and with eager attention the weights."""
    a = s.attention
    batch, seq, width = x.spec.shape
    inner, tokens = s.shared * a.d_head, batch * seq
    with b.scope(EXPERTS):
        rows = b.apply("reshape", x, name="tokens", shape=(tokens, width))
        r = routed(s, b, rows)
        q = project(s, b, "input_linear", b.apply("index_select", rows, r.tokens, name="rows"), r, inner)
        zeros = b.apply("full", name="zeros_of_queries", shape=(tokens * s.per_token, inner), dtype=b.dtype)
        q = b.apply("index_add", zeros, r.order, q, name="queries", dim=0)
    k, v = b.apply("split", linear(b, "kv_proj", x, 2 * inner, bias=False), name="k_and_v", parts=2)
    q = b.apply("reshape", q, name="q_of_tokens", shape=(batch, seq, s.per_token * inner))
    q = split_heads(b, q, a.heads, a.d_head, "q")
    k, v = (split_heads(b, part, s.shared, a.d_head, label) for part, label in ((k, "k"), (v, "v")))
    q, k = both_rotated(a, b, q, k, tables)
    k, v = (with_cache(b, part, label, workload) for part, label in ((k, "k"), (v, "v")))
    k, v = (
        b.apply("repeat", part, name=f"{label}_of_each", times=(1, s.per_token, 1, 1))
        for part, label in ((k, "k"), (v, "v"))
    )
    y, weights = attended(a, workload, b, q, k, v, tables)
    with b.scope(EXPERTS):
        y = b.apply("reshape", y, name="outputs", shape=(tokens * s.per_token, inner))
        y = project(s, b, "output_linear", b.apply("index_select", y, r.order, name="ordered"), r, width)
        y = summed(s, b, y, r, tokens)
        y = b.apply("reshape", y, name="sequences", shape=(batch, seq, width))
        y = b.apply("add", y, b.parameter("bias", (width,)), name="shifted")
    return y, weights


def network(s: JetMoeLayer, b: Builder, x: Value) -> Value:
    """Returns the output of the experts in place of the network; the builder is in their scope."""
    batch, seq, width = x.spec.shape
    tokens = batch * seq
    rows = b.apply("reshape", x, name="tokens", shape=(tokens, width))
    r = routed(s, b, rows)
    y = project(s, b, "input_linear", b.apply("index_select", rows, r.tokens, name="rows"), r, 2 * s.width)
    gate, up = b.apply("split", y, name="gate_and_up", parts=2)
    y = b.apply("mul", activated(b, s.activation, gate), up, name="gated")
    y = summed(s, b, project(s, b, "output_linear", y, r, width), r, tokens)
    y = b.apply("reshape", y, name="sequences", shape=(batch, seq, width))
    found: Value = b.apply("add", y, b.parameter("bias", (width,)), name="shifted")
    return found


def describe(config: JetMoeConfig) -> Decoder:
    """Returns a stack of equal layers."""
    per_token = at_most(config.num_experts_per_tok, config.num_local_experts, "num_experts_per_tok, num_local_experts")
    assert config.num_key_value_heads is not None
    heads = config.num_key_value_heads * per_token
    attention = Attention(
        heads,
        heads,
        config.d_head,
        module="self_attention",
        rotary=config.d_head,
        dropout=config.attention_dropout,
    )
    act = ACTIVATIONS[config.activation_function]
    kind = JetMoeLayer(attention, config.num_local_experts, per_token, config.intermediate_size, act)
    network = Mlp(config.intermediate_size, act)
    return around(config, Layer(attention, network, whole=Whole(kind, jetmoe_layer)))


ARCHITECTURE = decoder(
    "jetmoe",
    JetMoeConfig,
    describe,
    PresetFiles(__file__),
    aliases={"hidden_act": "activation_function"},
    stem="JetMoe",
    classes=(CAUSAL, ALONE, SEQUENCE),
    no_cost={"num_attention_heads": None, "num_layers": None},
    doc="JetMoE: experts in attention, which share keys and values, and in place of the network.",
)
