"""Encoders of texts with rotary positions: BERT's embeddings without positions, and layers whose norms come last."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from graphacct import Architecture, Builder, Dim, Value, Workload, equal, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS
from graphacct_architectures.decoders.parts.decode import After, decode
from graphacct_architectures.decoders.parts.description.attention import Attention
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.layer import Layer
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.encoders.parts.description import Encoder
from graphacct_architectures.encoders.parts.encode import encode
from graphacct_architectures.encoders.parts.family import EncoderConfig, built, has_logits
from graphacct_architectures.layers import embedding

TABLES = "rotary_emb"


@frozen(kw_only=True)
class RotaryEncoderConfig(EncoderConfig):
    """BERT's keys, and those of rotary positions."""

    rope_parameters: Mapping[str, Any] = rope_parameters()
    head_dim: Dim | None = fields.optional_size()

    @property
    def d_head(self) -> Dim:
        """The width of a head: as stated, or the model's width divided by the heads."""
        if self.head_dim is not None:
            return self.head_dim
        return exact_div(self.hidden_size, self.num_attention_heads, "hidden_size / num_attention_heads")


def rotated(config: Any, network: Mlp, bias: bool) -> Decoder:
    """Returns the layers, each with `network`; `bias` says whether attention's projections have biases."""
    kind = Norm(LAYER_NORM, bias=True)
    attention = Attention(
        config.num_attention_heads,
        config.num_attention_heads,
        config.d_head,
        bias=bias,
        out_bias=bias,
        rotary=config.d_head,
        rotary_tables=TABLES,
        causal=False,
        unmasked=True,
        upcast="",
        dropout=config.attention_probs_dropout_prob,
    )
    layer = Layer(
        attention,
        network,
        kind,
        attention_norm="",
        mlp_norm="",
        attention_stream_norm="post_attention_layernorm",
        mlp_stream_norm="post_mlp_layernorm",
        dropout=config.hidden_dropout_prob,
    )
    return Decoder(
        config.vocab_size,
        config.hidden_size,
        layer,
        config.num_hidden_layers,
        module="",
        embedding="embeddings.word_embeddings",
        embedding_norm="embeddings.LayerNorm",
        norm="",
        norm_kind=kind,
        rotary_tables=((TABLES, config.d_head),),
        embedding_dropout=config.hidden_dropout_prob,
        headless=True,
    )


def plain(config: Any, **rest: Any) -> Mlp:
    """Returns a network with a gate; `rest` holds the differences."""
    return Mlp(config.intermediate_size, ACTIVATIONS[config.hidden_act], **rest)


def rotary_encoder(
    name: str,
    config: type[Any],
    describe: Any,
    layers: Any,
    presets: Mapping[str, Any],
    *,
    doc: str,
    aliases: Mapping[str, str] | None = None,
    no_cost: Mapping[str, tuple[Any, ...] | None] | None = None,
) -> Architecture:
    """Returns the Architecture of a family: `describe` returns a configuration's pooler and heads, and `layers` its
    layers."""

    def streamed(config: Any, e: Encoder, workload: Workload, b: Builder) -> Value:
        def typed(b: Builder, ids: Value, x: Value) -> tuple[Value, Mapping[int, After], Mapping[str, Value]]:
            return with_types(config.type_vocab_size, workload, b, x), {}, {}

        x = decode(layers(config), workload, b, typed)
        assert isinstance(x, Value)
        return x

    def build(config: Any, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
        return encode(describe(config), workload, b, partial(streamed, config))

    return built(
        name,
        config,
        build,
        presets,
        lambda config: has_logits(describe(config)),
        lambda config: config.max_position_embeddings,
        doc=doc,
        aliases=aliases,
        no_cost=no_cost,
    )


def with_types(count: Dim, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns embedded tokens with their types' rows added, if there is a table of types."""
    if equal(count, 0):
        return x
    with b.scope("embeddings"):
        kinds = b.apply("full", name="token_type_ids", shape=(workload.batch, workload.seq_len), dtype="int64")
        rows = embedding(b, "token_type_embeddings", kinds, count, x.spec.shape[-1])
        return b.apply("add", x, rows, name="with_token_types")
