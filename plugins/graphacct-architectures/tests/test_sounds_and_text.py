"""Families that read sounds beside a text, or make them, equal to the unit with what torch measured on small ones."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from each import each

import graphacct

CASES: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[3] / "tests" / "goldens" / "sounds.json").read_text()
)


@cache
def report(case: str, **options: Any) -> graphacct.Report:
    found = CASES[case]
    whole = found["workload"]
    sound = {key: whole[key] for key in ("frames", "samples", "encoder_seq_len") if key in whole}
    workload = sound if options.get("phase") == "decode" else whole
    eager = {"attention": "eager"} if found.get("attends", True) else {}
    return graphacct.account(found["config"], convention="matmul", **{**eager, **workload, **options})


@each("case", CASES)
def test_parameters(case: str) -> None:
    """Names, shapes and counts, with `*` for every index, and which share another's storage."""
    ours: dict[str, dict[str, Any]] = {}
    tied = set()
    for row in report(case).by_parameter:
        name = re.sub(r"(?<=\.)\d+(?=\.|$)", "*", row.parameter.name)
        if row.parameter.tied_to:
            tied.add(name)
        elif not row.parameter.buffer:
            alike = ours.setdefault(name, {"params": 0, "tensors": 0, "shape": list(row.parameter.spec.shape)})
            alike["shape"] = alike["shape"] if alike["shape"] == list(row.parameter.spec.shape) else "varies"
            alike["params"] += row.parameter.spec.elements * row.count
            alike["tensors"] += row.count
    measured = CASES[case]["params"]
    assert ours == measured["by_parameter_pattern"]
    assert sorted(tied) == measured["tied_names"]
    assert report(case).total["params"] == measured["total"]


@each("case", CASES)
def test_forward(case: str) -> None:
    """FLOPs of each module, with attention in both forms."""
    measured = CASES[case]["forward"]
    ours = {row.path: [row.values["matmul_flops"], row.repeat] for row in report(case).by_scope}
    for path, (flops, _) in tuple(ours.items()):  # a Sequential, whose parts are one row here
        ours.setdefault(path.removesuffix(".*"), [flops, 1])
    ours["(root)"] = [report(case).total["matmul_flops"], 1]
    for path, (flops, *counts) in measured["by_module"].items():  # those with products, or all of the name
        assert ours.get(path, [0, 0])[0] == flops, path
        assert ours[path][1] in counts or "subsampling.layers" in path, path
    if CASES[case].get("attends", True) and CASES[case].get("fuses", True):
        assert report(case, attention="fused").total["matmul_flops"] == measured["total"]


@each("case", [case for case, found in CASES.items() if "step" in found])
def test_step(case: str) -> None:
    """FLOPs of a training step from the sum of the outputs."""
    step = report(case, phase="train", loss="sum", quantities=("step_matmul_flops",))
    assert step.total["step_matmul_flops"] == CASES[case]["step"]


@each("case", [case for case, found in CASES.items() if "decode" in found])
def test_decode(case: str) -> None:
    """FLOPs of one new token on a cache of earlier ones; a prefill does what a forward pass does."""
    measured = CASES[case]["decode"]
    found = report(case, phase="decode", cache_len=measured["cached_tokens"])
    assert found.total["matmul_flops"] == measured["total"]
    assert report(case, phase="prefill").total["matmul_flops"] == CASES[case]["forward"]["total"]


def test_seconds_of_a_sound() -> None:
    """A second is 100 frames; an encoder with learned positions reads one length, any other is an error."""
    glm = CASES["glmasr-0"]
    half = graphacct.build(glm["config"], audio_seconds=0.48, seq_len=20)
    assert half.workload["frames"] == 48
    with pytest.raises(
        graphacct.ConfigError, match=r"frames 3000 is not .*: the model reads as many as its max_source"
    ):
        graphacct.account(CASES["voxtral-0"]["config"], audio_seconds=30, seq_len=2000)


def test_a_text_without_sounds() -> None:
    """The text model runs alone, and the encoder stays in memory."""
    case = CASES["audioflamingo3-0"]
    found = graphacct.account(case["config"], convention="matmul", audios=0, seq_len=5)
    assert found.total["params"] == case["params"]["total"]
    assert not any("audio_tower" in row.path and row.values["matmul_flops"] for row in found.by_scope)


def test_an_encoder_of_another_kind_is_named() -> None:
    """A text model is no encoder of sound."""
    config = {**CASES["voxtral-0"]["config"], "audio_config": {"model_type": "llama"}}
    with pytest.raises(graphacct.GraphacctError, match=r"audio_config.model_type is 'llama', which is not read inside"):
        graphacct.account(config)


ULTRAVOX = {
    "model_type": "ultravox",
    "architectures": ["UltravoxModel"],
    "audio_config": {
        **{"model_type": "whisper", "num_mel_bins": 8, "d_model": 16, "encoder_layers": 2, "decoder_layers": 3},
        **{"encoder_attention_heads": 2, "encoder_ffn_dim": 24, "max_source_positions": 20},
    },
    "text_config": {
        **{"model_type": "llama", "vocab_size": 50, "hidden_size": 32, "intermediate_size": 48},
        **{"num_hidden_layers": 1, "num_attention_heads": 4, "max_position_embeddings": 100},
    },
    "hidden_size": 12,
    "projector_ln_mid": True,
}


def test_ultravox_is_what_its_repository_describes() -> None:
    """Eight positions of Whisper's encoder side by side, through a gated network of half the hidden width."""
    found = graphacct.account(ULTRAVOX, seq_len=10, audios=2, convention="matmul")
    rows = {row.path: row.values["matmul_flops"] for row in found.by_scope}
    assert rows["multi_modal_projector"] == 2 * 3 * 2 * (8 * 16 * 12 + 6 * 32)  # 20 positions are 3 rows, padded
    names = {row.parameter.name: row.parameter.spec.shape for row in found.by_parameter}
    assert names["multi_modal_projector.ln_pre.weight"] == (128,)
    assert names["multi_modal_projector.linear_1.weight"] == (12, 128)
    assert names["multi_modal_projector.ln_mid.weight"] == (6,)
    assert names["multi_modal_projector.linear_2.weight"] == (32, 6)
    assert names["audio_tower.conv1.weight"] == (16, 8, 3)
    assert names["language_model.lm_head.weight"] == (50, 32)
    assert not any("decoder" in name or "ln_post" in name for name in names)


def test_a_model_in_another_repository_is_named() -> None:
    """Ultravox' files may name the repositories of both models instead of their keys."""
    with pytest.raises(graphacct.GraphacctError, match=r"text_model_id is 'meta-llama/Llama-3.2-1B-Instruct', whose"):
        graphacct.account({**ULTRAVOX, "text_model_id": "meta-llama/Llama-3.2-1B-Instruct"})
    with pytest.raises(graphacct.ConfigError, match="num_projector_layers is 2: a projector with layers of attention"):
        graphacct.account({**ULTRAVOX, "num_projector_layers": 2})


SPEAKING = {
    **{"model_type": "vits", "hidden_size": 8, "num_hidden_layers": 1, "flow_size": 4, "upsample_rates": [2, 2]},
    **{"upsample_kernel_sizes": [4, 4], "upsample_initial_channel": 8, "resblock_kernel_sizes": [3]},
    **{"resblock_dilation_sizes": [[1]], "prior_encoder_num_flows": 1, "posterior_encoder_num_wavenet_layers": 1},
}


def test_whole_frames_of_samples() -> None:
    """A sound of 9 samples is one of three frames of four."""
    found, whole = (graphacct.account(SPEAKING, seq_len=2, samples=samples) for samples in (9, 12))
    assert found.total["flops"] == whole.total["flops"]
    assert graphacct.account(SPEAKING, seq_len=2, audio_seconds=0.00075).total["flops"] == whole.total["flops"]


TELLING = {"model_type": "fastspeech2_conformer", "hidden_size": 8, "encoder_layers": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SPEAKING | {"wavenet_kernel_size": 4}, "wavenet_kernel_size has 4: an odd number"),
        (SPEAKING | {"depth_separable_channels": 4}, "depth_separable_channels is 4: the noise of the durations has 2"),
        (SPEAKING | {"flow_size": 5}, "flow_size is 5: an even number"),
        (SPEAKING | {"upsample_kernel_sizes": [4]}, "upsample_kernel_sizes has 1 values and upsample_rates 2"),
        (SPEAKING | {"resblock_dilation_sizes": [[0]]}, "resblock_dilation_sizes is a list of lists of positive"),
        (SPEAKING | {"resblock_kernel_sizes": [3, 5]}, "resblock_dilation_sizes has 1 values"),
        (SPEAKING | {"upsample_initial_channel": 2}, "upsample_initial_channel is 2: 2 stages each halve it"),
        (SPEAKING | {"upsample_kernel_sizes": [4, 1]}, "upsample_kernel_sizes has 1, less than the rate"),
        (TELLING | {"use_cnn_in_conformer": False}, "use_cnn_in_conformer is false: its class cannot run"),
        (TELLING | {"encoder_config": {"layers": 2}}, "encoder_config.layers is 2 and encoder_layers 1"),
        (TELLING | {"encoder_config": 2}, "encoder_config is an object, not 2"),
    ],
)
def test_what_cannot_speak(content: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=re.escape(message)):
        graphacct.account(content)


def test_parts_that_do_not_fit() -> None:
    """Sizes of one part that another one reads; embeddings that cannot be shared."""
    for name, change, message in (
        ("dia", {"decoder_config": {"cross_hidden_size": 9}}, "decoder_config.cross_hidden_size is 9 and encoder_conf"),
        (
            "csm",
            {"depth_decoder_config": {"num_codebooks": 3}},
            "depth_decoder_config has an embedding of 6153",
        ),
        ("kyutai_speech_to_text", {"tie_word_embeddings": True}, "tie_word_embeddings is true: the embedding has"),
        ("moshi", {"tie_word_embeddings": True}, "tie_word_embeddings is true: the embedding has a row more"),
    ):
        with pytest.raises(graphacct.GraphacctError, match=re.escape(message)):
            graphacct.account({"model_type": name, **change}, seq_len=4)
