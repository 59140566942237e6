"""Families that are another family's under another name."""

from __future__ import annotations

from typing import Any

import pytest

import graphacct
from graphacct import ReadError

SIZES: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 20,
    "max_position_embeddings": 66,
}


@pytest.mark.parametrize(("kind", "stem"), [("xlm-roberta", "XLMRoberta"), ("camembert", "Camembert")])
@pytest.mark.parametrize("ending", ["ForMaskedLM", "ForSequenceClassification", "ForQuestionAnswering", "Model"])
def test_it_counts_as_the_other_family(kind: str, stem: str, ending: str) -> None:
    own = graphacct.account({"model_type": kind, "architectures": [f"{stem}{ending}"], **SIZES}, seq_len=32)
    other = graphacct.account({"model_type": "roberta", "architectures": [f"Roberta{ending}"], **SIZES}, seq_len=32)
    assert own.total == other.total
    assert own.model == kind


def test_its_head_owns_the_tied_weight() -> None:
    """The class makes its head first, so state_dict names the head's weight before the embedding's."""
    model = {"model_type": "xlm-roberta", "architectures": ["XLMRobertaForMaskedLM"], **SIZES}
    rows = {row.parameter.name: row.parameter.tied_to for row in graphacct.account(model, seq_len=32).by_parameter}
    assert rows["roberta.embeddings.word_embeddings.weight"] == "lm_head.decoder.weight"
    assert rows["lm_head.decoder.weight"] == ""


def test_an_unknown_class_is_named_as_the_file_spells_it() -> None:
    model = {"model_type": "xlm-roberta", "architectures": ["XLMRobertaForVision"], **SIZES}
    with pytest.raises(ReadError, match="architectures has 'XLMRobertaForVision'"):
        graphacct.account(model, seq_len=32)


def test_defaults_are_those_of_its_own_class() -> None:
    """XLMRobertaConfig has 30,522 words, RobertaConfig 50,265 (transformers 5.23)."""
    found = graphacct.account({"model_type": "xlm-roberta", "hidden_size": 768}, seq_len=8)
    table = next(row for row in found.by_parameter if row.parameter.name.endswith("word_embeddings.weight"))
    assert table.parameter.spec.shape == (30522, 768)


def test_mimo_is_qwen2() -> None:
    """Arithmetic of MiMo-7B-Base: embedding and head, 36 layers of projections (q, k and v have biases whatever
    `attention_bias` says), network and two norms, and the last norm. The layers that predict further tokens are not
    part of it, as in DeepSeek-V3."""
    sizes = {"vocab_size": 151680, "hidden_size": 4096, "num_hidden_layers": 36, "num_attention_heads": 32}
    sizes |= {"num_key_value_heads": 8, "intermediate_size": 11008}
    model: dict[str, Any] = {
        "model_type": "mimo",
        "architectures": ["MiMoForCausalLM"],
        "attention_bias": True,
        **sizes,
    }
    layer = 4096 * (4096 + 2 * 1024) + (4096 + 2 * 1024) + 4096**2 + 3 * 4096 * 11008 + 2 * 4096
    expected = 2 * 151680 * 4096 + 36 * layer + 4096
    assert graphacct.account({**model, "num_nextn_predict_layers": 1}, seq_len=8).total["params"] == expected
