"""T5: an encoder and a decoder with relative position biases instead of positions, RMSNorm before each part.

Raffel et al., 2020 (arXiv:1910.10683); version 1.1 and Flan (Chung et al., 2022, arXiv:2210.11416) have a gated
network. The transformers library always ties the head to the embedding: `tie_word_embeddings: false` only turns off the
scaling before the head.
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from graphacct import ConfigError, Dim, PresetFiles, Workload, brief, fields, frozen, same, suggest
from graphacct_architectures.activations import ACTIVATIONS, optional_activation
from graphacct_architectures.classifier import Classifier
from graphacct_architectures.decoders.parts.description.feed_forward import Mlp
from graphacct_architectures.decoders.parts.description.norm import Norm
from graphacct_architectures.encoder_decoders.parts.description import (
    Attention,
    EncoderDecoder,
    Head,
    Part,
    Relative,
    Stack,
)
from graphacct_architectures.encoder_decoders.parts.family import encoder_decoder, of_text

LM, MODEL, ENCODER = "T5ForConditionalGeneration", "T5Model", "T5EncoderModel"
SEQUENCE, TOKENS, SPANS = "T5ForSequenceClassification", "T5ForTokenClassification", "T5ForQuestionAnswering"
OLDER = {"T5WithLMHeadModel": LM}
GATED = "gated-"


def projection(default: str = "relu") -> Any:
    """Returns the feed-forward network: an activation, or `gated-` and one. The ConfigError for another suggests the
    closest."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        if not isinstance(value, str) or value.removeprefix(GATED) not in ACTIVATIONS:
            known = [*ACTIVATIONS, *(GATED + name for name in ACTIVATIONS)]
            raise ConfigError(f"{field.name} cannot be {brief(value)}{suggest(str(value), known)}")
        return value

    return fields.checked_field(check, default)


@frozen(kw_only=True)
class T5Config:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM, MODEL, ENCODER, SEQUENCE, TOKENS, SPANS), OLDER)
    vocab_size: Dim = fields.size(32128)
    d_model: Dim = fields.size(512)
    d_kv: Dim = fields.size(64)
    d_ff: Dim = fields.size(2048)
    num_layers: Dim = fields.size(6)
    num_decoder_layers: Dim | None = fields.optional_size()
    num_hidden_layers: Dim | None = fields.optional_size()
    num_heads: Dim = fields.size(8)
    n_positions: Dim = fields.size(512)
    relative_attention_num_buckets: Dim = fields.size(32)
    dropout_rate: float = fields.probability(0.1)
    classifier_dropout: float = fields.probability(0.0)
    num_labels: Dim = fields.label_count()
    feed_forward_proj: str = projection()
    tie_word_embeddings: bool = fields.flag(True)
    scale_decoder_outputs: bool | None = fields.optional_flag()
    is_gated_act: bool | None = fields.optional_flag()
    dense_act_fn: str | None = optional_activation()
    dtype: str | None = fields.dtype()
    head_scaled: ClassVar[bool | None] = None
    biases_in_each_layer: ClassVar[bool] = False

    @property
    def encoder_layers(self) -> Dim:
        """The encoder's number of layers: `num_hidden_layers` if given, otherwise `num_layers`."""
        return self.num_layers if self.num_hidden_layers is None else self.num_hidden_layers

    @property
    def scaled(self) -> bool:
        """Whether the head's input is scaled: today's files state it, older ones imply it by tying the head. Other
        families' classes decide it themselves."""
        if self.head_scaled is not None:
            return self.head_scaled
        return self.tie_word_embeddings if self.scale_decoder_outputs is None else self.scale_decoder_outputs

    @property
    def gated(self) -> bool:
        """Whether the network has a gate, according to its own key, which saved files have too, or to the
        projection's."""
        return self.feed_forward_proj.startswith(GATED) if self.is_gated_act is None else self.is_gated_act

    @property
    def activation(self) -> str:
        """The network's operator, which two keys can give."""
        kind = self.feed_forward_proj
        if self.dense_act_fn is not None:
            return ACTIVATIONS[self.dense_act_fn]
        return "gelu_new" if kind == "gated-gelu" else ACTIVATIONS[kind.removeprefix(GATED)]


def describe(config: T5Config) -> EncoderDecoder:
    """Returns equal layers in both stacks; the first of each has the table of biases."""
    name, last = config.architectures, config.classifier_dropout
    classifiers = {
        SEQUENCE: of_text(config.d_model, config.num_labels, last),
        TOKENS: Classifier("classifier", config.num_labels, dropout=last),
        SPANS: Classifier("qa_outputs", config.num_labels, spans=True),
    }
    found = t5(config, LM, alone=name in (ENCODER, TOKENS))
    module = "transformer" if name in (SEQUENCE, TOKENS) else ""
    return attrs.evolve(found, module=module, classifier=classifiers.get(name))


def t5(config: T5Config, with_head: str, *, alone: bool) -> EncoderDecoder:
    """Returns both stacks, or the encoder `alone`, and the head of the class `with_head`."""
    d_model, drop = config.d_model, config.dropout_rate

    def attention(module: str, cross: bool = False) -> Attention:
        return Attention(
            config.num_heads,
            config.d_kv,
            module,
            cross,
            q="q",
            k="k",
            v="v",
            out="o",
            bias=False,
            scaled=False,
            biased=True,
            dropout=drop,
        )

    network = Mlp(
        config.d_ff,
        config.activation,
        gated=config.gated,
        module="DenseReluDense",
        gate="wi_0",
        up="wi_1" if config.gated else "wi",
        down="wo",
        dropout=drop,
    )
    own, other = attention("SelfAttention"), attention("EncDecAttention", cross=True)
    each = config.biases_in_each_layer
    table = "relative_attention_bias" if each else "block.0.layer.0.SelfAttention.relative_attention_bias"
    relative = Relative(table, config.relative_attention_num_buckets, each)

    def stack(module: str, count: Dim, *modules: Attention | Mlp) -> Stack:
        parts = tuple(Part(item, "layer_norm", f"layer.{index}") for index, item in enumerate(modules))
        kind: dict[str, Any] = {"norm": "final_layer_norm", "norm_kind": Norm(upcast="statistics")}
        return Stack(parts, count, module, "block", relative=relative, **kind, last_dropout=True)

    count = config.num_layers if config.num_decoder_layers is None else config.num_decoder_layers
    return EncoderDecoder(
        config.vocab_size,
        d_model,
        stack("encoder", config.encoder_layers, own, network),
        None if alone else stack("decoder", count, own, other, network),
        head=Head(scaled=config.scaled) if config.architectures == with_head else None,
        dropout=drop,
    )


def inexact(config: T5Config, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not equal to the library's saved tensors: a layer that alone reads the position biases."""
    decoder = config.encoder_layers if config.num_decoder_layers is None else config.num_decoder_layers
    if config.biases_in_each_layer or not (same(config.encoder_layers, 1) or same(decoder, 1)):
        return ()
    return (
        "where layers run again, a stack of one layer saves the position biases, which the library's layer makes again",
    )


ARCHITECTURE = encoder_decoder(
    "t5",
    T5Config,
    describe,
    PresetFiles(__file__),
    doc="T5 and Flan-T5: encoder and decoder, biases by distance, RMSNorm.",
    context=lambda config: config.n_positions,
    aliases={
        "hidden_size": "d_model",
        "num_attention_heads": "num_heads",
        "head_dim": "d_kv",
    },
    inexact=inexact,
)
