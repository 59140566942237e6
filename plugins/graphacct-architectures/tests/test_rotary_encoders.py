"""Encoders of texts with rotary positions or boxes: figures of the library's classes.

Measured with `graphacct verify --torch` (transformers 5.23, torch 2.13), batch 1, seq_len 8, attention eager.
"""

from __future__ import annotations

from typing import Any

import pytest

import graphacct

SMALL: dict[str, Any] = {
    **{"vocab_size": 29, "hidden_size": 8, "num_attention_heads": 2, "num_hidden_layers": 2},
    **{"intermediate_size": 11, "max_position_embeddings": 16},
}
CASES: dict[str, tuple[dict[str, Any], int, int, int]] = {
    "NomicBertForMaskedLM": ({**SMALL, "model_type": "nomic_bert"}, 1_485, 25_472, 76_416),
    "LayoutLMForTokenClassification": ({**SMALL, "model_type": "layoutlm"}, 34_280, 18_304, 54_656),
    "GteForSequenceClassification": ({**SMALL, "model_type": "gte"}, 1_530, 20_896, 62_688),
    "EuroBertForSequenceClassification": (
        {**SMALL, "model_type": "eurobert", "pad_token_id": 0},
        *(1_402, 22_016, 66_048),
    ),
    "JinaEmbeddingsV3ForMaskedLM": (
        {
            **{**SMALL, "model_type": "jina_embeddings_v3", "hidden_size": 4, "num_attention_heads": 1},
            "num_hidden_layers": 4,
        },
        *(981, 15_936, 47_808),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_figures_of_the_class(name: str) -> None:
    content, params, forward, step = CASES[name]
    content = {**content, "architectures": [name]}
    for attention in ("eager", "fused"):
        found = graphacct.account(content, seq_len=8, attention=attention, convention="matmul")
        assert (found.total["params"], found.total["matmul_flops"]) == (params, forward)
    trained = graphacct.account(content, seq_len=8, attention="eager", convention="matmul", phase="train", loss="sum")
    assert trained.total["step_matmul_flops"] == step


def test_the_head_of_jina_owns_the_words() -> None:
    content = {**CASES["JinaEmbeddingsV3ForMaskedLM"][0], "architectures": ["JinaEmbeddingsV3ForMaskedLM"]}
    rows = {row.parameter.name: row.parameter.tied_to for row in graphacct.account(content).by_parameter}
    assert rows["roberta.embeddings.word_embeddings.weight"] == "lm_head.decoder.weight"


def test_a_class_that_is_not_there() -> None:
    with pytest.raises(graphacct.GraphacctError, match="has 'GteForCausalLM'; did you mean 'GteForMaskedLM'"):
        graphacct.account({**SMALL, "model_type": "gte", "architectures": ["GteForCausalLM"]})
