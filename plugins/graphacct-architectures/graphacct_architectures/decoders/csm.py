"""CSM: Llama's layers over a text and frames of a sound, a small decoder of each frame's codes, and a codec.

Schalkwyk et al., 2025 (sesame.com, "Crossing the uncanny valley of conversational voice"). The class is given a text:
its layers say the first code of each frame. The decoder of the other codes and the codec are in memory, and do not run.
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    PresetFiles,
    SubModel,
    Value,
    Workload,
    differ,
    fields,
    frozen,
)
from graphacct_architectures.aliases import ALIASES
from graphacct_architectures.audio.parts.speaking import codec_resides, hears
from graphacct_architectures.audio.parts.stream import streamed
from graphacct_architectures.decoders.llama import LlamaConfig, describe
from graphacct_architectures.layers import embedding, for_logits, linear, resident
from graphacct_architectures.losses import LOSSES, entropy_if
from graphacct_architectures.residing import reside

LM = "CsmForConditionalGeneration"
CODES = "backbone_model.embed_tokens.embed_audio_tokens"


@frozen(kw_only=True)
class DepthConfig(LlamaConfig):
    """The keys of the decoder of a frame's codes."""

    architectures: str = ""
    num_codebooks: Dim = fields.size(32)
    backbone_hidden_size: Dim = fields.size(2048)
    vocab_size: Dim = fields.size(2051)
    hidden_size: Dim = fields.size(1024)
    intermediate_size: Dim = fields.size(8192)
    num_hidden_layers: Dim = fields.size(4)
    num_attention_heads: Dim = fields.size(8)
    num_key_value_heads: Dim | None = fields.optional_size(2)
    max_position_embeddings: Dim = fields.size(33)


@frozen(kw_only=True)
class CsmConfig(LlamaConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM,))
    num_codebooks: Dim = fields.size(32)
    vocab_size: Dim = fields.size(2051)
    text_vocab_size: Dim = fields.size(128256)
    hidden_size: Dim = fields.size(2048)
    intermediate_size: Dim = fields.size(8192)
    num_hidden_layers: Dim = fields.size(16)
    num_attention_heads: Dim = fields.size(32)
    num_key_value_heads: Dim | None = fields.optional_size(8)
    tie_codebooks_embeddings: bool = fields.flag(True)
    depth_decoder_config: Any = fields.nested(DepthConfig)
    codec_config: SubModel = fields.model("mimi", fits=hears)

    @property
    def depth(self) -> DepthConfig:
        """The decoder of a frame's codes, of its class's sizes unless the file has some."""
        own: DepthConfig = self.depth_decoder_config or DepthConfig()
        return own

    def __attrs_post_init__(self) -> None:
        inner = self.depth
        if self.tie_codebooks_embeddings:
            own = (self.num_codebooks * self.vocab_size, self.hidden_size)
            other = (inner.num_codebooks * inner.vocab_size, inner.backbone_hidden_size)
            if any(differ(mine, theirs) for mine, theirs in zip(own, other, strict=True)):
                raise ConfigError(
                    f"depth_decoder_config has an embedding of {other[0]} by {other[1]}, and the model one of {own[0]} "
                    f"by {own[1]}: tie_codebooks_embeddings is true"
                )


def build(config: CsmConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from ids of a text (batch, seq) to the logits of each place's first code."""
    ids = b.input("input_ids", (workload.batch, workload.seq_len), "int64")
    codec_resides(config.codec_config, "codec_model", workload, b)
    shape = (config.num_codebooks * config.vocab_size, config.hidden_size)
    resident(b, CODES, b.parameter(f"{CODES}.weight", shape), lookup=True)
    with b.scope("depth_decoder"):
        depth_resides(config.depth, config.tie_codebooks_embeddings, workload, b)
    x = embedding(b, "embed_text_tokens", ids, config.text_vocab_size, config.hidden_size)
    b.hold(x)
    with b.scope("backbone_model"):
        x = streamed(describe(config), workload, b, x, cached=True)
    b.hold(x)
    return linear(b, "lm_head", for_logits(b, x, workload), config.vocab_size, bias=False)


def depth_resides(config: DepthConfig, tied: bool, workload: Workload, b: Builder) -> None:
    """Adds the decoder of a frame's codes, which does not run; the builder is in its scope. `tied` says that its
    embedding is the model's."""
    rows, books = config.num_codebooks * config.vocab_size, config.num_codebooks
    owner = f"{CODES}.weight" if tied else ""
    table = b.parameter("model.embed_tokens.weight", (rows, config.backbone_hidden_size), tied_to=owner)
    resident(b, "model.embed_tokens", table, lookup=True)
    shape = (config.hidden_size, config.backbone_hidden_size)
    resident(b, "model.inputs_embeds_projector", b.parameter("model.inputs_embeds_projector.weight", shape))
    aside = Builder("depth_decoder", b.operators, b.dtype)
    with aside.scope("depth_decoder.model"):
        x = aside.input("inputs_embeds", (workload.batch, books, config.hidden_size))
        own = attrs.evolve(workload, phase="forward", seq_len=books, cache_len=None, kv_dtype=None)
        made = streamed(describe(config), own, aside, x)
    reside(b, aside.graph(made), "depth_decoder.")
    heads = b.parameter("codebooks_head.weight", (books - 1, config.hidden_size, config.vocab_size))
    resident(b, "codebooks_head", heads)


KEYS = {"codebook_size": "vocab_size"}
NO_COST: dict[str, Any] = dict.fromkeys(
    (
        *("codebook_pad_token_id", "codebook_eos_token_id", "audio_token_id", "audio_eos_token_id"),
        *("tie_word_embeddings", "initializer_range"),
    )
)
ARCHITECTURE = Architecture(
    "csm",
    CsmConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: config.max_position_embeddings},
    attention=("fused", "eager"),
    phases=("forward", "train", "prefill", "decode"),
    last_logits=True,
    dtype="float32",
    aliases={**ALIASES, **KEYS},
    no_cost=NO_COST,
    model_types=("csm",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(True),
    doc="CSM: Llama's layers over a text, with the decoder of a frame's codes and the codec in memory.",
)
