"""The decoder of Llama 3.2 Vision: Llama, in which some layers ask the tokens of images instead of one another.

Dubey et al., 2024 (arXiv:2407.21783), section 7.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct import Builder, Dim, PresetFiles, Value, Workload, equal, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.attention import Attention, Mixing
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer, Whole
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.decoders.parts.family import DecoderConfig, decoder, whole, width_over_heads
from graphacct_architectures.decoders.parts.feed_forward import mlp
from graphacct_architectures.decoders.parts.norms import normed_by
from graphacct_architectures.decoders.parts.sparse import layer_indices
from graphacct_architectures.layers import linear, merge_heads, resident, split_heads
from graphacct_architectures.multimodal.parts.cross import Asking, read

STATES, MASK, ROWS = "image_states", "image_mask", "image_rows"
"""What layers are given: the images' tokens, which of them a token sees, and the tokens that see any."""
CROSS = (3, 8, 13, 18, 23, 28, 33, 38)
SPARE = 8
"""Rows of the embedding behind the vocabulary: the image's token."""


@frozen(kw_only=True)
class MllamaTextConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    vocab_size: Dim = fields.size(128256)
    intermediate_size: Dim = fields.size(14336)
    num_hidden_layers: Dim = fields.size(40)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    max_position_embeddings: Dim = fields.size(131072)
    hidden_act: str = activation("silu")
    cross_attention_layers: tuple[int, ...] = layer_indices(CROSS)
    dropout: float = fields.probability(0.0)

    @property
    def d_head(self) -> Dim:
        """The width of a head: the class has no key for it."""
        return width_over_heads(self)


@frozen
class Crossed:
    """A layer that asks the tokens of images.

    Attributes:
        asking: Its attention.
        mlp: Its network.
        tokens: Tokens of each tile; 0 if there are no images.
    """

    asking: Asking
    mlp: Mlp
    tokens: Dim


def describe(config: MllamaTextConfig, tokens: Dim = 0) -> Decoder:
    """Returns layers of both kinds; `tokens` are those of each tile of an image."""
    network = Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act])
    own = Attention(
        config.num_attention_heads,
        config.kv_heads,
        config.d_head,
        rotary=config.d_head,
        dropout=config.dropout,
    )
    asking = Asking(config.num_attention_heads, config.kv_heads, config.d_head, dropout=config.dropout)
    crossed = Crossed(asking, network, tokens)
    kinds = {
        False: Layer(own, network),
        True: Layer(Mixing("cross_attn", None, _never), network, whole=Whole(crossed, cross_layer)),
    }
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        tuple(kinds[index in config.cross_attention_layers] for index in range(count)),
        count,
        tied=False,
        embedding_spare=SPARE,
        rotary_tables=(("rotary_emb", config.d_head),),
    )


def _never(settings: Any, workload: Workload, b: Builder, x: Value) -> Value:
    raise AssertionError("the layer is a whole of its own")


def cross_layer(c: Crossed, workload: Workload, b: Builder, x: Value, tables: Mapping[str, Value]) -> Value:
    """Adds a layer; without images its parameters are in memory alone. Returns the stream."""
    kind, width, asking = Norm(), x.spec.shape[-1], c.asking
    if workload.images is None or equal(workload.images, 0) or equal(c.tokens, 0):
        unused(c, b, width)
        return x
    y = normed_by(b, "input_layernorm", x, kind)
    with b.scope("cross_attn"):
        q = split_heads(
            b, linear(b, asking.q, y, asking.heads * asking.d_head, bias=False), asking.heads, asking.d_head, "q"
        )
        q = normed_by(b, "q_norm", q, kind)
        k, v = (known(c, workload, b, width, tables.get(STATES), label) for label in "kv")
        y = merge_heads(b, read(asking, workload, b, q, k, v, tables.get(MASK)))
        y = linear(b, asking.out, y, width, bias=False)
    x = b.apply("add", x, gated(b, "cross_attn_attn_gate", y), name="attn_residual")
    y = normed_by(b, "post_attention_layernorm", x, kind)
    with b.scope(c.mlp.module):
        y = mlp(c.mlp, b, y)
    if ROWS in tables:
        y = b.apply("mul", tables[ROWS], y, name="mlp_of_rows")
    y = gated(b, "cross_attn_mlp_gate", y)
    return b.apply("add", x, y, name="mlp_residual")


def gated(b: Builder, name: str, y: Value) -> Value:
    """Returns y times the tanh of a parameter."""
    gate = b.apply("tanh", b.parameter(name, (1,)), name=f"{name}_tanh")
    found: Value = b.apply("mul", gate, y, name=f"{name}_applied")
    return found


def known(c: Crossed, workload: Workload, b: Builder, width: Dim, states: Value | None, label: str) -> Value:
    """Returns keys (`k`) or values (`v`) of the images' tokens: projected once, then kept in a cache that does not
    grow."""
    a = c.asking
    name = a.k if label == "k" else a.v
    if states is not None:
        found = split_heads(b, linear(b, name, states, a.kv_heads * a.d_head, bias=False), a.kv_heads, a.d_head, label)
        if label == "k":
            found = normed_by(b, "k_norm", found, Norm())
        if workload.phase != "prefill":
            return found
        if workload.kv_dtype not in (None, found.spec.dtype):
            found = b.apply("cast", found, name=f"{label}_as_cached", dtype=workload.kv_dtype)
        found = b.apply("concat", found, name=f"{label}_cached", dim=-2)
    else:
        assert workload.images is not None  # the architecture declares their defaults
        assert workload.tiles is not None
        weights = [b.parameter(f"{name}.weight", (a.kv_heads * a.d_head, width))]
        resident(b, name, *weights)
        if label == "k":
            resident(b, "k_norm", b.parameter("k_norm.weight", (a.d_head,)))
        count = workload.images * workload.tiles * c.tokens
        shape = (workload.batch, a.kv_heads, count, a.d_head)
        found = b.apply("kv_cache", name=f"{label}_cache", shape=shape, dtype=workload.kv_dtype or b.dtype)
    b.emit(b.apply("kv_keep", found, name=f"{label}_kept", grows=False))
    return found


def unused(c: Crossed, b: Builder, width: Dim) -> None:
    """Adds the layer's parameters, which are in memory."""
    a, inner = c.asking, c.mlp.width
    heads, shared = a.heads * a.d_head, a.kv_heads * a.d_head
    shapes = {
        "input_layernorm.weight": (width,),
        "cross_attn.q_proj.weight": (heads, width),
        "cross_attn.k_proj.weight": (shared, width),
        "cross_attn.v_proj.weight": (shared, width),
        "cross_attn.o_proj.weight": (width, heads),
        "cross_attn.q_norm.weight": (a.d_head,),
        "cross_attn.k_norm.weight": (a.d_head,),
        "cross_attn_attn_gate": (1,),
        "post_attention_layernorm.weight": (width,),
        "mlp.gate_proj.weight": (inner, width),
        "mlp.up_proj.weight": (inner, width),
        "mlp.down_proj.weight": (width, inner),
        "cross_attn_mlp_gate": (1,),
    }
    for name, shape in shapes.items():
        resident(b, name.removesuffix(".weight"), b.parameter(name, shape))


ARCHITECTURE = decoder(
    "mllama_text_model",
    MllamaTextConfig,
    describe,
    PresetFiles(__file__),
    classes=("ForCausalLM", "Model"),
    stem="MllamaText",
    doc="The decoder of Llama 3.2 Vision without images.",
)
