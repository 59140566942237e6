"""Nomic BERT: rotary positions, gated networks, no biases in the layers' projections.

Nussbaum et al., 2024 (arXiv:2402.01613). Files of the model's own code (nomic-ai/nomic-bert-2048) spell the sizes as
GPT-2's do; names of tensors are those of the library's class, to which it renames the published ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct import ConfigError, Dim, PresetFiles, brief, fields, frozen
from graphacct_architectures.activations import ACTIVATIONS, activation
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.encoders.bert import like_bert
from graphacct_architectures.encoders.parts.description import Encoder, Head
from graphacct_architectures.encoders.parts.family import of_pooled, of_tokens
from graphacct_architectures.encoders.parts.rotary import RotaryEncoderConfig, plain, rotary_encoder, rotated

STEM = "NomicBert"
MODEL, MASKED, SEQUENCE, TOKENS, SPANS = (
    f"{STEM}{word}"
    for word in ("Model", "ForMaskedLM", "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering")
)


@frozen(kw_only=True)
class NomicBertConfig(RotaryEncoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(MODEL, (MODEL, MASKED, SEQUENCE, TOKENS))
    vocab_size: Dim = fields.size(30528)
    hidden_act: str = activation("silu")
    hidden_dropout_prob: float = fields.probability(0.0)
    attention_probs_dropout_prob: float = fields.probability(0.0)
    max_position_embeddings: Dim = fields.size(2048)


def describe(config: NomicBertConfig) -> Encoder:
    """Returns the pooler and the heads of the class."""
    name = config.architectures
    head = Head(
        "cls.predictions.transform.dense",
        config.hidden_size,
        ACTIVATIONS[config.hidden_act],
        "cls.predictions.transform.layer_norm",
        "cls.predictions.decoder",
        config.vocab_size,
        tied=config.tie_word_embeddings,
        bias="cls.predictions.bias",
    )
    classifiers = {SEQUENCE: of_pooled(config, config.num_labels), TOKENS: of_tokens(config)}
    return like_bert(
        config,
        "" if name == MODEL else "nomic_bert",
        pooled=name == SEQUENCE,
        head=head if name == MASKED else None,
        classifier=classifiers.get(name),
    )


def layers(config: NomicBertConfig) -> Decoder:
    """Returns the layers."""
    return rotated(config, plain(config), bias=False)


OLDER = {
    "n_embd": "hidden_size",
    "n_head": "num_attention_heads",
    "n_inner": "intermediate_size",
    "n_layer": "num_hidden_layers",
    "n_positions": "max_position_embeddings",
    "attn_pdrop": "attention_probs_dropout_prob",
    "resid_pdrop": "hidden_dropout_prob",
    "activation_function": "hidden_act",
}
"""Keys of the files of the model's own code, and the library's."""
GATED = {"swiglu": "silu", "geglu": "gelu"}
"""The activation of a gated network there, and here."""
OFF = ("mlp_fc1_bias", "mlp_fc2_bias", "qkv_proj_bias", "prenorm", "causal", "parallel_block", "use_rms_norm")
"""Switches of these files for models that are not modelled."""
ALONE: dict[str, tuple[Any, ...] | None] = {
    **dict.fromkeys((*OFF, "parallel_block_tied_norm", "rotary_emb_interleaved"), (False,)),
    **dict.fromkeys(("fused_bias_fc", "fused_dropout_add_ln", "dense_seq_output", "use_flash_attn", "use_xentropy")),
    **dict.fromkeys(("max_trained_positions", "rotary_emb_base", "rotary_scaling_factor", "rotary_emb_scale_base")),
    **dict.fromkeys(("pad_vocab_size_multiple", "reorder_and_upcast_attn", "scale_attn_by_inverse_layer_idx")),
    **dict.fromkeys(("scale_attn_weights", "summary_activation", "summary_first_dropout", "summary_use_proj")),
    **dict.fromkeys(("summary_proj_to_labels", "summary_type", "layer_norm_epsilon", "embd_pdrop")),
    "rotary_emb_fraction": (1, 1.0),
}
"""Keys of these files that change no cost, with the values at which they change none."""


def of_own_code(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the content of a file with today's keys. Raises ConfigError for a network without a gate, and for the
    variants with experts."""
    if content.get("num_experts"):
        raise ConfigError(f"num_experts is {brief(content['num_experts'])}: Nomic BERT with experts is not modelled")
    if "n_embd" not in content:
        return content
    found = {OLDER.get(key, key): value for key, value in content.items() if OLDER.get(key) not in content}
    on = next((key for key in OFF if content.get(key)), "")
    if on:
        raise ConfigError(f"{on} is {brief(content[on])}: such variants of Nomic BERT's own code are not modelled")
    act = content.get("activation_function", "swiglu")
    if not isinstance(act, str) or act not in GATED:
        raise ConfigError(f"activation_function is {brief(act)}: only networks with a gate are modelled, as 'swiglu'")
    return {**found, "hidden_act": GATED[act]}


ARCHITECTURE = attrs.evolve(
    rotary_encoder(
        "nomic_bert",
        NomicBertConfig,
        describe,
        layers,
        PresetFiles(__file__),
        doc="Nomic BERT: rotary positions, gated networks without biases; alone or with the head of a class.",
        no_cost=ALONE,
    ),
    prepare=of_own_code,
)
