"""The inputs that a class of the transformers library gets: their shapes, by its signature, docstring and layers."""

from __future__ import annotations

from typing import Any

import pytest

transformers = pytest.importorskip("transformers")
torch = pytest.importorskip("torch")
from graphacct_torch.errors import CaptureError  # noqa: E402
from graphacct_torch.reading import library  # noqa: E402
from graphacct_torch.reading.inputs import library_inputs  # noqa: E402
from graphacct_torch.reading.sizes import sizes_of  # noqa: E402

import graphacct  # noqa: E402


def shapes(model_type: str, **keys: Any) -> dict[str, tuple[int, ...]]:
    config = library.config_of({"model_type": model_type, **keys})
    module = library.built(config)
    named = library_inputs(module, sizes_of(config, {"batch": 3}), None)[1]
    return {name: tuple(value.shape) for name, value in named.items() if isinstance(value, torch.Tensor)}


@pytest.mark.parametrize(
    ("model_type", "keys", "found"),
    [
        (  # the docstring has the shapes, and the configuration the names in them
            "decision_transformer",
            {"n_layer": 1},
            {
                "states": (3, 128, 17),
                "actions": (3, 128, 4),
                "rewards": (3, 128, 1),
                "returns_to_go": (3, 128, 1),
                "timesteps": (3, 128),
            },
        ),
        ("kimi_k25_vision", {"num_hidden_layers": 1}, {"pixel_values": (768, 3, 14, 14), "grid_thw": (3, 3)}),  # Conv2d
        ("muse_glimmer_vision", {"num_hidden_layers": 1}, {"pixel_values": (768, 1176), "grid_thw": (3, 3)}),  # Linear
        ("gemma4_vision", {"num_hidden_layers": 1}, {"pixel_values": (3, 225, 768), "pixel_position_ids": (3, 225, 2)}),
        ("wav2vec2-bert", {"num_hidden_layers": 1}, {"input_features": (3, 1024, 160)}),  # LayerNorm
        (
            "granite_speech5_encoder",
            {"num_hidden_layers": 1},
            {"input_features": (3, 1024, 320)},
        ),  # Linear, of 4 frames
        ("gemma4_audio", {"num_hidden_layers": 1}, {"input_features": (3, 1024, 128)}),
        (
            "timesfm",
            {"num_hidden_layers": 1},
            {"past_values": (3, 512), "past_values_padding": (3, 512), "freq": (3, 1)},
        ),
        ("vibevoice_acoustic_tokenizer_decoder", {}, {"hidden_states": (3, 64, 128)}),
        ("xmod", {"num_hidden_layers": 1}, {"input_ids": (3, 128), "lang_ids": (3,)}),
        ("perceiver", {"num_blocks": 1}, {"inputs": (3, 128, 768)}),
        (  # one image above the other has the model's size
            "seggpt",
            {"num_hidden_layers": 6, "intermediate_hidden_state_indices": [5]},
            {
                "pixel_values": (3, 3, 448, 448),
                "prompt_pixel_values": (3, 3, 448, 448),
                "prompt_masks": (3, 3, 448, 448),
            },
        ),
        (
            "speecht5",
            {"encoder_layers": 1, "decoder_layers": 1},
            {"input_values": (3, 128, 768), "decoder_input_values": (3, 128, 768)},
        ),
        (
            "speecht5",
            {"architectures": ["SpeechT5ForTextToSpeech"], "encoder_layers": 1, "decoder_layers": 1},
            {"input_ids": (3, 128), "decoder_input_values": (3, 128, 80)},
        ),
        ("inkling2_vision", {"num_hidden_layers": 1}, {"pixel_values": (768, 40, 40, 3), "image_grid_thw": (3, 3)}),
        (  # a part of a part of the configuration has the size
            "sam2",
            {},
            {"pixel_values": (3, 3, 1024, 1024)},
        ),
        ("kyutai_speech_to_text", {"num_hidden_layers": 1}, {"input_ids": (3, 128, 33)}),
    ],
)
def test_shapes(model_type: str, keys: dict[str, Any], found: dict[str, tuple[int, ...]]) -> None:
    """Three of each at a time."""
    assert shapes(model_type, **keys) == found


def test_a_class_with_inputs_from_its_docstring_runs() -> None:
    """Three tokens for each time step: returns, states and actions."""
    report = graphacct.account({"model_type": "decision_transformer", "n_layer": 1, "hidden_size": 32}, seq_len=10)
    tokens, width = 30, 32
    layer = 2 * tokens * 12 * width**2 + 4 * tokens**2 * width
    inputs = 2 * 10 * width * (17 + 4 + 1)
    heads = 2 * 10 * width * (1 + 17 + 4)
    assert report.total["matmul_flops"] == layer + inputs + heads


@pytest.mark.parametrize(
    ("model_type", "keys", "message"),
    [
        ("bark", {}, "'BarkModel' has no forward of its own, .* give one of 'semantic, coarse_acoustics"),
        ("sam3_video", {}, "needs inference_session, of type Sam3VideoInferenceSession: give it from a factory"),
    ],
)
def test_refusals(model_type: str, keys: dict[str, Any], message: str) -> None:
    """Which input, and where it can come from."""
    with pytest.raises(CaptureError, match=message):
        shapes(model_type, **keys)


def test_a_class_that_the_library_does_not_export() -> None:
    """It is found beside those that are."""
    config = library.config_of({"model_type": "voxtral_realtime_text"})
    assert library.class_of(config).__name__ == "VoxtralRealtimeTextModel"


def test_a_class_that_takes_the_whole_configuration() -> None:
    """musicgen's bare model is that of its decoder alone; and it has two parts for text, of which it writes one."""
    config = library.config_of({"model_type": "musicgen"})
    assert library.class_of(config).__name__ == "MusicgenForConditionalGeneration"
    assert library.text_of(config).model_type == "musicgen_decoder"
    decoder = library.config_of({"model_type": "musicgen_decoder"})
    assert library.text_of(decoder) is decoder


def test_a_class_that_reads_large_tensors_while_it_is_built() -> None:
    """All of it is made with data then, if that is little enough."""
    assert library.built(library.config_of({"model_type": "fastspeech2_conformer"})) is not None


def test_an_input_that_nothing_describes() -> None:
    """It is named, and how it is given."""

    class Strange(transformers.BertPreTrainedModel):
        def forward(self, strange: torch.Tensor) -> torch.Tensor:
            return strange

    module = Strange(transformers.BertConfig())
    with pytest.raises(CaptureError, match=r"'Strange' needs strange, .* add --input strange=SHAPE:DTYPE"):
        library_inputs(module, sizes_of(module.config, {}), None)
