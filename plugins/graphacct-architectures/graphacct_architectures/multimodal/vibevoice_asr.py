"""VibeVoice-ASR: two encoders of a waveform, whose projections are added, into Qwen2 or any decoder.

The sizes are those of the transformers library's configuration class.
"""

from __future__ import annotations

from graphacct import Builder, Dim, PresetFiles, SubModel, Value, Workload, fields, frozen
from graphacct_architectures.audio.vibevoice_acoustic_tokenizer_encoder import RATE, latents
from graphacct_architectures.layers import linear, rms_norm
from graphacct_architectures.multimodal.parts.compose import Composition, Part, described, text_model
from graphacct_architectures.multimodal.parts.family import composition
from graphacct_architectures.multimodal.parts.sounds import of_sounds

CLASSES = ("VibeVoiceAsrForConditionalGeneration", "VibeVoiceAsrModel")
ENCODER = "vibevoice_acoustic_tokenizer_encoder"


@frozen(kw_only=True)
class VibeVoiceAsrConfig:
    """The keys of the published config.json that the cost depends on."""

    architectures: str = fields.model_class(CLASSES[0], CLASSES)
    acoustic_tokenizer_encoder_config: SubModel = fields.model(ENCODER, always=True)
    semantic_tokenizer_encoder_config: SubModel = fields.model(ENCODER, always=True, keys={"hidden_size": 128})
    text_config: SubModel = text_model("qwen2")
    dtype: str | None = fields.dtype()


def compose(config: VibeVoiceAsrConfig, root: str) -> Composition:
    """Returns a decoder, and its sounds through both encoders, which are not trained, and the projector."""
    text = described(config.text_config)
    encoders = {
        "acoustic": config.acoustic_tokenizer_encoder_config,
        "semantic": config.semantic_tokenizer_encoder_config,
    }

    def rows(workload: Workload, b: Builder) -> Value:
        sounds = of_sounds(workload)
        channels = config.acoustic_tokenizer_encoder_config.config.channels
        samples = b.input("input_values", (sounds.batch, channels, sounds.samples))
        found = {}
        for name, encoder in encoders.items():
            with b.scope(f"{root}{name}_tokenizer_encoder"):
                x = latents(encoder.config, b, samples)
            found[name] = b.apply("detach", x, name=f"{name}_latents")
        found["acoustic"] = noised(b, found["acoustic"])
        with b.scope(f"{root}multi_modal_projector"):
            parts = [projected(b, name, x, text.width) for name, x in found.items()]
            return b.apply("add", *parts, name="features")

    return Composition(text, (Part("audios", rows),), f"{root}language_model")


def noised(b: Builder, x: Value) -> Value:
    """Returns latents with noise added, of a deviation that is drawn for each sound."""
    sounds = x.spec.shape[0]
    deviation = b.apply(
        "scale", b.apply("random", name="deviations", shape=(sounds, 1, 1), dtype=b.dtype), name="deviation"
    )
    noise = b.apply("mul", deviation, b.apply("random", name="noise", shape=x.spec.shape, dtype=b.dtype), name="noised")
    y: Value = b.apply("add", x, noise, name="sampled")
    return y


def projected(b: Builder, name: str, x: Value, width: Dim) -> Value:
    """Returns latents in the text's width: two linear layers with a norm between them."""
    x = rms_norm(b, f"{name}_norm", linear(b, f"{name}_linear_1", x, width))
    return linear(b, f"{name}_linear_2", x, width)


ARCHITECTURE = composition(
    "vibevoice_asr",
    VibeVoiceAsrConfig,
    compose,
    PresetFiles(__file__),
    classes=CLASSES,
    image_size=None,
    sizes={"audios": lambda config: 1, "samples": lambda config: RATE},
    per_second={"samples": lambda config: RATE},
    no_cost=dict.fromkeys(("acoustic_tokenizer_chunk_size", "audio_bos_token_id", "audio_eos_token_id")),
    doc="VibeVoice-ASR: two encoders of a waveform, whose projections are added, into any decoder.",
)
