"""Kyutai's speech to text: Moshi's layers over a text and the codes of a sound, and the codec in memory.

Zeghidour et al., 2025 (arXiv:2509.08753). The class is given the tokens of each place: one of the text, and one of each
book of codes.
"""

from __future__ import annotations

from typing import Any

from graphacct import Architecture, Builder, ConfigError, Dim, PresetFiles, SubModel, Value, Workload, fields, frozen
from graphacct_architectures.aliases import ALIASES
from graphacct_architectures.audio.parts.speaking import codec_resides, hears
from graphacct_architectures.audio.parts.stream import streamed
from graphacct_architectures.decoders.moshi import layer
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.family import DecoderConfig
from graphacct_architectures.layers import embedding, for_logits, linear
from graphacct_architectures.losses import LOSSES, entropy_if

LM = "KyutaiSpeechToTextForConditionalGeneration"


@frozen(kw_only=True)
class KyutaiConfig(DecoderConfig):
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(LM, (LM,))
    codebook_vocab_size: Dim = fields.size(2049)
    vocab_size: Dim = fields.size(4001)
    hidden_size: Dim = fields.size(2048)
    num_hidden_layers: Dim = fields.size(48)
    intermediate_size: Dim = fields.size(11264)  # `ffn_dim` of the files: gate and up together
    max_position_embeddings: Dim = fields.size(750)
    sliding_window: Dim = fields.size(375)
    num_codebooks: Dim = fields.size(32)
    codec_config: SubModel = fields.model("mimi", fits=hears)

    def __attrs_post_init__(self) -> None:
        if self.tie_word_embeddings:
            raise ConfigError(
                "tie_word_embeddings is true: the embedding has rows of the codes too, the head none; set it to false"
            )


def build(config: KyutaiConfig, workload: Workload, b: Builder) -> Value:
    """Returns the graph from the tokens of each place (batch, seq, 1 + books) to the logits of the text."""
    books, width = config.num_codebooks, config.hidden_size
    ids = b.input("input_ids", (workload.batch, workload.seq_len, 1 + books), "int64")
    codec_resides(config.codec_config, "codec_model", workload, b)
    with b.scope("model"):
        with b.scope("embed_tokens"):
            offsets = b.apply("constant", name="offsets", shape=(1 + books,), dtype="int64")
            moved = b.apply("add", ids, offsets, name="moved")
            padding = b.apply("eq", ids, name="padding")
            rows = config.vocab_size + books * config.codebook_vocab_size + 1
            x = embedding(b, "embed_tokens", b.apply("where", padding, ids, moved, name="places"), rows, width)
            x = b.apply("sum", x, name="of_each_place", dim=2)
        b.hold(x)
        d = Decoder(config.vocab_size, width, layer(config), config.num_hidden_layers)
        x = streamed(d, workload, b, x, cached=True)
    b.hold(x)
    return linear(b, "lm_head", for_logits(b, x, workload), config.vocab_size, bias=False)


NO_COST: dict[str, Any] = dict.fromkeys(("audio_bos_token_id", "audio_pad_token_id", "initializer_range"))
ARCHITECTURE = Architecture(
    "kyutai_speech_to_text",
    KyutaiConfig,
    build,
    PresetFiles(__file__),
    sizes={"seq_len": lambda config: config.max_position_embeddings},
    attention=("fused", "eager"),
    phases=("forward", "train", "prefill", "decode"),
    last_logits=True,
    dtype="bfloat16",
    aliases={**ALIASES, "ffn_dim": "intermediate_size"},
    no_cost=NO_COST,
    model_types=("kyutai_speech_to_text",),
    losses=LOSSES,
    default_loss=lambda config: entropy_if(True),
    doc="Kyutai's speech to text: Moshi's layers over a text and a sound's codes, and a codec in memory.",
)
