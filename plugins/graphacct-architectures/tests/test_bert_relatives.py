"""RemBERT, DPR, XLM, FlauBERT, TAPAS and CANINE, equal to the unit with what torch measured of transformers 5.23."""

from typing import Any

import pytest

import graphacct

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
SIZES |= {"vocab_size": 60, "max_position_embeddings": 16}
REMBERT = {**SIZES, "model_type": "rembert", "input_embedding_size": 12, "output_embedding_size": 20}
DPR = {**SIZES, "model_type": "dpr"}
XLM = {"model_type": "xlm", "emb_dim": 32, "n_layers": 2, "n_heads": 4, "vocab_size": 60, "max_position_embeddings": 16}
TAPAS = {**SIZES, "model_type": "tapas"}
CANINE = {**SIZES, "model_type": "canine", "num_hash_buckets": 20, "local_transformer_stride": 5}
GROUPS = {"downsampling_rate": 3, "upsampling_kernel_size": 5, "num_hash_functions": 4}


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
        (XLM, "XLMModel", (27904, 626688, 1880064)),
        ({**XLM, "n_langs": 3, "causal": True}, "XLMWithLMHeadModel", (28060, 672768, 2018304)),
        ({**XLM, "model_type": "flaubert"}, "FlaubertForSequenceClassification", (27970, 626816, 1880448)),
        (TAPAS, "TapasForMaskedLM", (51932, 451584, 1354752)),
        (CANINE, "CanineModel", (45408, 680960, 2042880)),
        ({**CANINE, **GROUPS}, "CanineForTokenClassification", (46498, 762112, 2282240)),
        ({**TAPAS, "num_aggregation_labels": 4}, "TapasForQuestionAnswering", (52006, 384768, 1152768)),
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


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({**XLM, "asm": True, "architectures": ["XLMWithLMHeadModel"]}, "asm is True: a softmax in clusters of words"),
        ({**XLM, "is_encoder": False}, "is_encoder"),
        (
            {**XLM, "summary_use_proj": False, "architectures": ["XLMForMultipleChoice"]},
            "summary_use_proj and summary_proj_to_labels are True in a class that chooses an answer",
        ),
        ({**CANINE, "downsampling_rate": 5}, "seq_len is 8: CANINE reads at least two groups of 5 characters"),
        ({**CANINE, "num_hash_buckets": 7}, "seq_len 8 is beyond num_hash_buckets, 7"),
        ({**TAPAS, "type_vocab_sizes": [3, "x"]}, "type_vocab_sizes is .* not a list of the rows of tables"),
        (
            {**TAPAS, "select_one_column": False, "architectures": ["TapasForQuestionAnswering"]},
            "select_one_column is not True",
        ),
    ],
)
def test_refusals(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=said):
        graphacct.build(keys, seq_len=8)
