"""MusicGen's decoder: the tokens of several books of vectors at a time, with a head for each book.

Copet et al., 2023 (arXiv:2306.05284).
"""

from __future__ import annotations

from functools import partial
from typing import Any

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, Value, Workload, exact_div, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import LAYER_NORM, Norm
from graphacct_architectures.encoder_decoders.parts.description import (
    Attention,
    EncoderDecoder,
    Entry,
    Part,
    Positions,
    Stack,
)
from graphacct_architectures.encoder_decoders.parts.embeddings import looked_up, placed
from graphacct_architectures.encoder_decoders.parts.run import attending, run
from graphacct_architectures.layers import dropped, for_logits, linear
from graphacct_architectures.losses import SUM_ALONE

LM, MODEL = "MusicgenForCausalLM", "MusicgenModel"


@frozen(kw_only=True)
class MusicgenDecoderConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL))
    vocab_size: Dim = fields.size(2048)
    max_position_embeddings: Dim = fields.size(2048)
    num_hidden_layers: Dim = fields.size(24)
    ffn_dim: Dim = fields.size(4096)
    num_attention_heads: Dim = fields.size(16)
    layerdrop: float = fields.probability(0.0)
    activation_function: str = activation("gelu")
    hidden_size: Dim = fields.size(1024)
    dropout: float = fields.probability(0.1)
    attention_dropout: float = fields.probability(0.0)
    activation_dropout: float = fields.probability(0.0)
    num_codebooks: Dim = fields.size(4)
    audio_channels: Dim = fields.size(1)
    cross_attention_hidden_size: Dim | None = fields.optional_size()
    dtype: str | None = fields.dtype()

    @property
    def books(self) -> int:
        """How many books there are. Raises ConfigError if it is no number."""
        if type(self.num_codebooks) is not int:
            raise ConfigError("num_codebooks must be a number: each book has a table and a head of its own")
        return self.num_codebooks


def ids(config: MusicgenDecoderConfig, name: str, workload: Workload, b: Builder) -> Value:
    """Adds the tokens, (batch · books, seq)."""
    return b.input(name, (workload.batch * config.books, workload.seq_len), "int64")


def entered(config: MusicgenDecoderConfig, workload: Workload, b: Builder, tokens: Value) -> Value:
    """Returns the stream that enters the layers: the sum of what the books' tables have for the tokens of a place."""
    seq = tokens.spec.shape[1]
    tokens = b.apply("reshape", tokens, name="books", shape=(workload.batch, config.books, seq))
    total: Value | None = None
    for index in range(config.books):
        own = b.apply("select", tokens, name=f"book_{index}", dim=1, index=index)
        rows = looked_up(b, f"embed_tokens.{index}", own, config.vocab_size + 1, config.hidden_size)
        total = rows if total is None else b.apply("add", total, rows, name=f"books_to_{index}")
    assert total is not None
    count = config.max_position_embeddings
    x = placed(Positions("embed_positions", count, count, computed=True), False, workload, b, total)
    return dropped(b, "drop", x, config.dropout, workload)


def heads(config: MusicgenDecoderConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the logits of each book, (batch · books, seq, vocabulary)."""
    x = for_logits(b, x, workload)
    batch, seq, _ = x.spec.shape
    parts = [linear(b, f"lm_heads.{index}", x, config.vocab_size, bias=False) for index in range(config.books)]
    apart = (batch, 1, seq, config.vocab_size)
    parts = [b.apply("reshape", part, name=f"book_{index}", shape=apart) for index, part in enumerate(parts)]
    made = b.apply("concat", *parts, name="lm_logits", dim=1)
    return b.apply("reshape", made, name="logits", shape=(batch * config.books, seq, config.vocab_size))


def describe(config: MusicgenDecoderConfig, name: str = "decoder_input_ids") -> EncoderDecoder:
    """Returns the decoder, without biases but in its norms; `name` is that of its tokens."""
    width = config.hidden_size
    d_head = exact_div(width, config.num_attention_heads, "hidden_size / num_attention_heads")
    options: dict[str, Any] = {"bias": False, "dropout": config.attention_dropout}

    def attention(module: str, cross: bool) -> Part:
        own = Attention(config.num_attention_heads, d_head, module, cross, **options)
        return Part(own, f"{module}_layer_norm")

    act, drop = ACTIVATIONS[config.activation_function], config.activation_dropout
    network = Mlp(config.ffn_dim, act, gated=False, module="", up="fc1", down="fc2", bias=False, dropout=drop)
    decoder = Stack(
        (attention("self_attn", False), attention("encoder_attn", True), Part(network, "final_layer_norm")),
        config.num_hidden_layers,
        "decoder",
        norm="layer_norm",
        norm_kind=Norm(LAYER_NORM, bias=True),
        entry=Entry(partial(ids, config, name), partial(entered, config)),
    )
    headed = config.architectures == LM
    return EncoderDecoder(
        config.vocab_size,
        width,
        None,
        decoder,
        module="model" if headed else "",
        shared="",
        head=None,
        dropout=config.dropout,
        alone=True,
        last=partial(heads, config) if headed else None,
    )


def check(config: MusicgenDecoderConfig, workload: Workload) -> None:
    """Raises ConfigError for a training step that drops layers."""
    if workload.phase == "train" and config.layerdrop:
        raise ConfigError(
            f"layerdrop {config.layerdrop}: whole layers that are dropped in training are not modelled; "
            "add --set layerdrop=0"
        )


def build(config: MusicgenDecoderConfig, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
    """Returns the graph from tokens to the logits of each book; the layers attend to no text."""
    check(config, workload)
    if config.architectures == MODEL and workload.logits == "last":
        raise ConfigError(f"{MODEL} has no logits: leave logits='last' out")
    return run(describe(config, "input_ids"), workload, b)


def crossing(
    config: MusicgenDecoderConfig, workload: Workload, b: Builder, states: Value | None
) -> Value | tuple[Value, ...]:
    """Returns the logits of a decoder that attends to `states` (batch, places, width), or to what its cache has of
    them."""
    check(config, workload)
    return attending(describe(config), workload, b, states)


ARCHITECTURE = Architecture(
    "musicgen_decoder",
    MusicgenDecoderConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: config.max_position_embeddings},
    attention=("fused", "eager"),
    phases=("forward", "train", "prefill", "decode"),
    last_logits=True,
    dtype="float32",
    aliases={"torch_dtype": "dtype"},
    no_cost=dict.fromkeys(("initializer_factor", "tie_word_embeddings", "classifier_dropout")),
    model_types=("musicgen_decoder",),
    losses=SUM_ALONE,
    doc="MusicGen's decoder: the tokens of several books of vectors, with a head for each book.",
)
