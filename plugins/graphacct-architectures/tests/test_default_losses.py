"""The loss that a training step of each class starts from unless it is told another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct import ConfigError, memory

GOLDEN = json.loads((Path(__file__).parents[3] / "tests" / "goldens" / "class_losses.json").read_text())
SMALL = {"vocab_size": 60, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = {"image_size": 8, "patch_size": 4}


def saved(folder: Path, content: dict[str, Any]) -> Path:
    (folder / "config.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("run", GOLDEN["runs"], ids=lambda run: f"{run['config']['architectures'][0]}-{run['dtype']}")
def test_the_librarys_own_loss_to_the_byte(run: dict[str, Any], tmp_path: Path) -> None:
    """Two sequences of 24 tokens up to the loss that the model computes from labels (torch 2.13 on a CPU): a language
    model's in float32 whatever the logits are, masked words' in the dtype of the logits. Eager attention of classifiers
    holds variables that the graph has not, where the logits are small: their forward peaks are not compared. Answers
    have two targets, clamped to the text, and BERT's pretraining has two losses."""
    found = memory(
        saved(tmp_path, run["config"]),
        **{"batch": 2, "seq_len": 24, "attention": "eager", "dtype": run["dtype"], "profile": "torch-eager-cpu"},
    )
    assert found.workload["loss"] == "cross_entropy"
    assert (found.saved_activations, found.fresh_peak) == (run["kept"], run["step_peak"])
    if not run["config"]["architectures"][0].endswith(("TokenClassification", "QuestionAnswering")):
        assert found.forward_peak == run["forward_peak"]


@pytest.mark.parametrize("seq_len", [1, 5])
def test_the_labels_are_copied(seq_len: int, tmp_path: Path) -> None:
    """The library's next-token loss pads the labels and copies those behind the first (`contiguous`), of one token too:
    3 sequences save 3 · seq_len labels of 8 bytes and no padded ones, beside the float32 logarithms of 60 classes a
    token and the count of tokens, 4 bytes."""
    folder = saved(tmp_path, {"model_type": "llama", **SMALL})
    sizes = {"batch": 3, "seq_len": seq_len, "dtype": "float32", "profile": "torch-eager-cpu"}
    found = [memory(folder, loss=loss, **sizes).saved_activations for loss in ("cross_entropy", "sum")]
    assert found[0] - found[1] == 3 * seq_len * (8 + 4 * 60) + 4


OWN_SIZE: dict[str, dict[str, int]] = {
    **{family: {"vocab_size": 50000} for family in ("gpt2", "t5", "bart", "clip_text_model")},
    "clip": {"projection_dim": 512},
    "clip_vision_model": {"patch_size": 32},
}
"""A size of families that name theirs otherwise than SMALL; the others are the class's defaults."""


@pytest.mark.parametrize(
    ("content", "loss"),
    [
        ({"model_type": "llama"}, "cross_entropy"),
        ({"model_type": "llama", "architectures": ["LlamaModel"]}, "sum"),
        ({"model_type": "llama", "architectures": ["LlamaForSequenceClassification"]}, "cross_entropy"),
        ({"model_type": "llama", "architectures": ["LlamaForSequenceClassification"], "num_labels": 1}, "sum"),
        ({"model_type": "llama", "architectures": ["LlamaForQuestionAnswering"]}, "cross_entropy"),
        ({"model_type": "gpt2", "architectures": ["GPT2DoubleHeadsModel"]}, "cross_entropy"),
        ({"model_type": "bert", "architectures": ["BertForMaskedLM"]}, "cross_entropy"),
        ({"model_type": "bert", "architectures": ["BertModel"]}, "sum"),
        ({"model_type": "bert", "architectures": ["BertForPreTraining"]}, "cross_entropy"),
        ({"model_type": "bert", "architectures": ["BertForQuestionAnswering"]}, "cross_entropy"),
        ({"model_type": "bert", "architectures": ["BertForMultipleChoice"]}, "cross_entropy"),
        ({"model_type": "electra", "architectures": ["ElectraForPreTraining"]}, "sum"),
        ({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}, "cross_entropy"),
        ({"model_type": "t5", "architectures": ["T5ForQuestionAnswering"]}, "cross_entropy"),
        ({"model_type": "t5", "architectures": ["T5EncoderModel"]}, "sum"),
        ({"model_type": "bart", "architectures": ["BartForSequenceClassification"], "num_labels": 3}, "cross_entropy"),
        ({"model_type": "vit", "architectures": ["ViTForImageClassification"], **VISION}, "cross_entropy"),
        ({"model_type": "vit", "architectures": ["ViTModel"], **VISION}, "sum"),
        ({"model_type": "clip", "architectures": ["CLIPModel"]}, "cross_entropy"),
        ({"model_type": "clip_text_model"}, "sum"),
        ({"model_type": "clip_vision_model"}, "sum"),
    ],
)
def test_the_default_is_the_loss_that_the_class_is_trained_with(
    content: dict[str, Any], loss: str, tmp_path: Path
) -> None:
    """A cross-entropy needs logits of words, of classes or of places in the text; all others start from the outputs'
    sum, which stays on request everywhere. The header of the report says which it was."""
    sizes = OWN_SIZE.get(content["model_type"], SMALL)
    length = {} if "image_size" in content or content["model_type"] == "clip_vision_model" else {"seq_len": 6}
    folder = saved(tmp_path, {**sizes, **content})
    report = graphacct.account(folder, phase="train", quantities=["params"], batch=2, **length)
    assert report.workload["loss"] == loss
    assert f"loss {loss}" in " ".join(str(report).split())
    asked = graphacct.build(folder, phase="train", loss="sum", batch=2, **length)
    assert asked.workload["loss"] == "sum"


def test_does_the_answer_hold_for_the_loss_that_people_train_with() -> None:
    """Llama-3.2-1B at 2,048 tokens does not fit 24 GB: the float32 logits, their log-probabilities and both gradients
    are 4 · 2,048 · 128,256 = 1,050,673,152 bytes each. With the outputs' sum it would seem to."""
    found = memory("llama-3.2-1b", seq_len=2048)
    assert found.total == 25_966_748_168 > 24 * 10**9
    assert memory("llama-3.2-1b", seq_len=2048, loss="sum").total < 24 * 10**9


def test_the_loss_adds_no_product() -> None:
    """Under convention matmul a step is what torch's counter says, whatever the loss is."""
    sizes = {"seq_len": 16, "phase": "train", "convention": "matmul", "quantities": ["step_matmul_flops"]}
    for name in ("gpt2", "bert-base-uncased", "t5-small", "vit-base-patch16-224"):
        own = {key: value for key, value in sizes.items() if key != "seq_len" or "vit" not in name}
        default, total = (graphacct.account(name, **own, **loss).total for loss in ({}, {"loss": "sum"}))
        assert default["step_matmul_flops"] == total["step_matmul_flops"]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ({"model_type": "vit", "architectures": ["ViTModel"], **VISION}, "ViTModel"),
        ({"model_type": "vit", "architectures": ["ViTForImageClassification"], "num_labels": 1, **VISION}, "ViTForIm"),
        ({"model_type": "llama", "architectures": ["LlamaModel"]}, "LlamaModel"),
    ],
)
def test_a_cross_entropy_needs_logits_of_classes(content: dict[str, Any], name: str, tmp_path: Path) -> None:
    """Asked for where there are none, it is refused with the class's name."""
    folder = saved(tmp_path, {**SMALL, **content})
    with pytest.raises(ConfigError, match=f"{name}.* has no logits for a cross_entropy: its loss is the sum of"):
        graphacct.build(folder, phase="train", loss="cross_entropy")


def test_a_tower_alone_has_the_sum_alone() -> None:
    """CLIP's towers end in hidden states."""
    with pytest.raises(ConfigError, match="loss is sum, not 'cross_entropy'"):
        graphacct.build("clip_text_model", phase="train", loss="cross_entropy")


@pytest.mark.parametrize("phase", ["forward", "prefill", "decode"])
def test_a_loss_is_of_training_alone(phase: str) -> None:
    """Elsewhere it would be ignored, so it is refused, `sum` like any other."""
    with pytest.raises(ConfigError, match=r"loss 'sum' is what a training step .*: add phase=\"train\""):
        graphacct.build("gpt2", phase=phase, loss="sum")
