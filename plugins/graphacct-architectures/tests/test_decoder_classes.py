"""The class that a file names in `architectures`: what stands on a decoder, and what nobody has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.errors import ConfigError, ReadError

WIDTH, LAYERS, HEADS, INNER, VOCABULARY = 48, 2, 4, 80, 100
LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": VOCABULARY,
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": INNER,
}
BODY = VOCABULARY * WIDTH + LAYERS * (4 * WIDTH**2 + 3 * WIDTH * INNER + 2 * WIDTH) + WIDTH
"""The embedding; in each layer four projections, a gated network and two norms; the last norm."""
HEAD = {
    "LlamaModel": 0,
    "LlamaForCausalLM": VOCABULARY * WIDTH,
    "LlamaForSequenceClassification": 3 * WIDTH,
    "LlamaForTokenClassification": 3 * WIDTH + 3,
    "LlamaForQuestionAnswering": 2 * WIDTH + 2,
}
WITHOUT_TARGETS = ("LlamaModel",)
PREFIX = {"LlamaModel": "", "LlamaForQuestionAnswering": "transformer."}


def saved(folder: Path, **content: Any) -> Path:
    (folder / "config.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize("name", HEAD)
def test_a_class_has_the_decoder_and_its_own_head(name: str, tmp_path: Path) -> None:
    """Parameters: the body's and the head's, of three labels; tensors are named as the class names them."""
    folder = saved(tmp_path, **LLAMA, architectures=[name], num_labels=3)
    found = graphacct.account(folder, seq_len=8)
    assert found.total["params"] == BODY + HEAD[name]
    names = {row.parameter.name for row in found.by_parameter}
    assert f"{PREFIX.get(name, 'model.')}embed_tokens.weight" in names
    assert f"{PREFIX.get(name, 'model.')}layers.*.self_attn.q_proj.weight" in names
    assert ("lm_head.weight" in names) == (name == "LlamaForCausalLM")


@pytest.mark.parametrize("loss", ["sum", "cross_entropy"])
@pytest.mark.parametrize("name", [name for name in HEAD if name not in WITHOUT_TARGETS])
def test_layers_of_every_class_are_the_layers_themselves(name: str, loss: str, tmp_path: Path) -> None:
    """A training step of the folded and of the unrolled graph, with the loss of the class."""
    folder = saved(tmp_path, **LLAMA, architectures=[name], num_labels=3)
    graph = graphacct.build(folder, seq_len=8, batch=2, phase="train", loss=loss)
    assert graphacct.account(graph).total == graphacct.account(graph.unroll()).total


def test_logits_of_a_sequence_are_those_of_its_last_position(tmp_path: Path) -> None:
    """The head runs at all 8 positions of both sequences, as the library's does; one row of labels each comes out."""
    folder = saved(tmp_path, **LLAMA, architectures=["LlamaForSequenceClassification"], id2label={"0": "good"})
    graph = graphacct.build(folder, seq_len=8, batch=2)
    assert [output.spec.shape for output in graph.outputs] == [(2, 1)]
    rows = {row.path: row.values["matmul_flops"] for row in graphacct.account(graph).by_scope}
    assert rows["score"] == 2 * 2 * 8 * WIDTH * 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"model_type": "qwen2", "hidden_size": 64, "architectures": ["Qwen2ForRewardModel"]},
            "Qwen2ForRewardModel.*…ForCausalLM, …Model",
        ),
        (
            {"model_type": "cohere", "hidden_size": 64, "architectures": ["CohereForTokenClassification"]},
            "the classes of cohere are",
        ),
        ({"model_type": "llama", "hidden_size": 64, "architectures": ["LlamaForMaskedLM"]}, "the classes of llama are"),
        (
            {"model_type": "gpt_neo", "hidden_size": 64, "architectures": ["GPTNeoDoubleHeadsModel"]},
            "the classes of gpt_neo are",
        ),
    ],
)
def test_a_class_that_the_family_does_not_have(content: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Its head is unknown, so that its numbers would be another class's: the classes there are, and no numbers."""
    with pytest.raises(ConfigError, match=message):
        graphacct.account(saved(tmp_path, **content), seq_len=8)


def test_architectures_is_a_list_of_names(tmp_path: Path) -> None:
    """Anything else is named with its value."""
    with pytest.raises(ReadError, match="architectures is a list with the name of a class, not 3"):
        graphacct.account(saved(tmp_path, **LLAMA, architectures=3), seq_len=8)


def test_outputs_that_a_class_does_not_have(tmp_path: Path) -> None:
    """No logits of the vocabulary to leave out, and no targets of a decoder alone."""
    folder = saved(tmp_path, **LLAMA, architectures=["LlamaModel"])
    with pytest.raises(ConfigError, match="LlamaModel has no logits of the vocabulary"):
        graphacct.account(folder, seq_len=8, logits="last")
    for name in WITHOUT_TARGETS:
        folder = saved(tmp_path, **LLAMA, architectures=[name])
        with pytest.raises(ConfigError, match=f"{name} has no logits for a cross_entropy"):
            graphacct.account(folder, seq_len=8, phase="train", loss="cross_entropy")


@pytest.mark.parametrize("names", [["LLaMAForCausalLM"], [], None, "LlamaForCausalLM"])
def test_the_language_model_under_names_of_the_first_days(names: Any, tmp_path: Path) -> None:
    """And a file without a class, as many a small one is."""
    found = graphacct.account(saved(tmp_path, **LLAMA, architectures=names), seq_len=8)
    assert found.total["params"] == BODY + HEAD["LlamaForCausalLM"]
