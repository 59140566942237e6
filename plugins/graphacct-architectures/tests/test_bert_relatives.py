"""RemBERT and DPR, equal to the unit with what torch measured of the classes of transformers 5.23."""

from typing import Any

import pytest

import graphacct

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
SIZES |= {"vocab_size": 60, "max_position_embeddings": 16}
REMBERT = {**SIZES, "model_type": "rembert", "input_embedding_size": 12, "output_embedding_size": 20}
DPR = {**SIZES, "model_type": "dpr"}


@pytest.mark.parametrize(
    ("keys", "name", "measured"),
    [
        (REMBERT, "RemBertModel", (17440, 392192, 1176576)),
        (REMBERT, "RemBertForMaskedLM", (18344, 434304, 1302912)),
        ({**REMBERT, "is_decoder": True}, "RemBertForCausalLM", (18344, 434304, 1302912)),
        (REMBERT, "RemBertForTokenClassification", (16450, 391680, 1175040)),
        (REMBERT, "RemBertForMultipleChoice", (17473, 784512, 2353536)),
        (DPR, "DPRQuestionEncoder", (17568, 380928, 1142784)),
        ({**DPR, "projection_dim": 12}, "DPRContextEncoder", (17964, 381696, 1145088)),
    ],
)
def test_what_torch_measures(keys: dict[str, Any], name: str, measured: tuple[int, ...]) -> None:
    """Parameters, and the FLOPs of a forward pass and of a step of 12 tokens."""
    given: dict[str, Any] = {"seq_len": 12, "attention": "eager", "convention": "matmul"}
    step = graphacct.account({**keys, "architectures": [name]}, phase="train", loss="sum", **given).total
    assert tuple(step[key] for key in ("params", "forward_matmul_flops", "step_matmul_flops")) == measured


def test_a_reader_with_a_projection_does_not_run() -> None:
    """Its heads are as wide as the projection, and read tokens that are not projected."""
    with pytest.raises(graphacct.GraphacctError, match="projection_dim is 12, and DPRReader's heads read tokens"):
        graphacct.build({**DPR, "architectures": ["DPRReader"], "projection_dim": 12}, seq_len=8)
