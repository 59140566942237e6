"""Granite Speech: a conformer, learned queries that ask windows of it (Q-Former), Granite or any decoder.

Saon et al., 2025 (arXiv:2505.08699).
"""

from __future__ import annotations

from functools import partial

from graphacct import Builder, ConfigError, Dim, SubModel, Value, Workload, ceil_div, fields, frozen, has_value, same
from graphacct_architectures.layers import linear
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.qformer import QFormerConfig, asked
from graphacct_architectures.multimodal.parts.sounds import audio_model, encoded, of_sounds, sounding

CLASSES = ("GraniteSpeechForConditionalGeneration", "GraniteSpeechModel")


@frozen(kw_only=True)
class GraniteSpeechConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    encoder_config: SubModel = audio_model("granite_speech_encoder", always=True)
    projector_config: QFormerConfig | None = fields.nested(QFormerConfig, "granite_speech")
    text_config: SubModel = text_model("granite")
    downsample_rate: Dim = fields.size(5)
    window_size: Dim = fields.size(15)
    tie_word_embeddings: bool = fields.flag(True)
    dtype: str | None = fields.dtype()

    @property
    def former(self) -> QFormerConfig:
        """The Q-Former."""
        return self.projector_config or QFormerConfig()

    @property
    def fits(self) -> bool:
        """Whether the Q-Former reads what the encoder makes."""
        return same(self.former.encoder_hidden_size, self.encoder_config.config.width)


def compose(config: GraniteSpeechConfig, root: str) -> Composition:
    """Returns a decoder, and its sounds through the encoder and the Q-Former."""
    text = described(config.text_config)

    def rows(workload: Workload, b: Builder) -> Value:
        with b.scope(f"{root}encoder"):
            x = encoded(config.encoder_config, workload, b)
        with b.scope(f"{root}projector"):
            return linear(b, "linear", queried(config, of_sounds(workload), b, x), text.width)

    part = Part("audios", rows, partial(check, config))
    return Composition(text, (part,), f"{root}language_model", tied=config.tie_word_embeddings)


def check(config: GraniteSpeechConfig) -> None:
    """Raises ConfigError if the Q-Former reads another width than the encoder's."""
    if not config.fits:
        raise ConfigError(
            f"projector_config.encoder_hidden_size {config.former.encoder_hidden_size} is not the encoder's width "
            f"{config.encoder_config.config.width}: the class reads no sound so; --audios 0 counts the text alone"
        )


def queried(config: GraniteSpeechConfig, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns what queries find in windows of x (sounds, positions, width): (sounds, tokens, the Q-Former's width)."""
    former, window = config.former, config.window_size
    sounds, count, _ = x.spec.shape
    width = former.encoder_hidden_size
    blocks, queries = ceil_div(count, window), window // config.downsample_rate
    if has_value(window) and has_value(config.downsample_rate) and window % config.downsample_rate:
        raise ConfigError(f"window_size {window} is no multiple of downsample_rate {config.downsample_rate}")
    x = b.apply("pad", x, name="padded", padding=((0, blocks * window - count), (0, 0)))
    if not config.fits:  # it does not run, and stays in memory
        x = b.apply("full", name="unread", shape=(sounds, blocks * window, width), dtype=b.dtype)
    x = b.apply("reshape", x, name="windows", shape=(sounds * blocks, window, width))
    shape = (1, queries, former.hidden_size)
    own = b.apply("reshape", b.parameter("query", shape), name="queries", shape=shape)
    with b.scope("qformer"):
        x = asked(former, workload, b, own, x)
    return b.apply("reshape", x, name="found", shape=(sounds, blocks * queries, former.hidden_size))


def audios(config: GraniteSpeechConfig) -> int:
    """Returns how many sounds a sequence has unless the workload says so: one, if the class can read it."""
    return 1 if config.fits else 0


ARCHITECTURE = sounding(
    "granite_speech",
    GraniteSpeechConfig,
    compose,
    __file__,
    lambda config: config.encoder_config,
    classes=CLASSES,
    audios=audios,
    no_cost=dict.fromkeys(("has_lora_adapter", "audio_token_index")),
    doc="Granite Speech: a conformer, learned queries that ask windows of it (Q-Former), any decoder.",
)
