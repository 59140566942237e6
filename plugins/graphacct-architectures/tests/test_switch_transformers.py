"""Switch Transformers: figures of the library's classes whose routers choose every expert as often, and refusals.

Measured with tests/verify/test_switched_against_torch.py (transformers 5.23, torch 2.13).
"""

from __future__ import annotations

from typing import Any

import pytest

import graphacct

SMALL: dict[str, Any] = {
    **{"model_type": "switch_transformers", "vocab_size": 40, "d_model": 8, "num_heads": 3, "d_kv": 6, "d_ff": 6},
    **{"num_layers": 1, "num_experts": 3, "num_sparse_encoder_layers": 0, "num_sparse_decoder_layers": 1},
    **{"expert_capacity": 2, "router_bias": True, "tie_word_embeddings": False, "num_decoder_layers": None},
    "encoder_sparse_step": 1,
}


def test_figures_of_the_librarys_class() -> None:
    """8 tokens of the encoder find 6 places."""
    sizes: dict[str, Any] = {"encoder_seq_len": 8, "seq_len": 4, "quantities": ("params", "matmul_flops")}
    found = graphacct.account(SMALL, **sizes)
    assert (found.total["params"], found.total["matmul_flops"]) == (3886, 33_856)
    roomy = graphacct.account({**SMALL, "expert_capacity": 64}, **sizes)
    assert roomy.total["matmul_flops"] - found.total["matmul_flops"] == 2 * (2 * 2 * 8 * 6)


def test_which_layers_have_experts() -> None:
    """The second of every two, as 6 of 12; the step in the file wins."""
    large = {
        **SMALL,
        "num_layers": 12,
        "num_sparse_encoder_layers": 6,
        "architectures": ["SwitchTransformersEncoderModel"],
    }
    for content, found in (({"encoder_sparse_step": None}, range(1, 12, 2)), ({"encoder_sparse_step": 4}, (1, 5, 9))):
        graph = graphacct.build({**large, **content}, encoder_seq_len=4).unroll()
        names = {parameter.name for node in graph.nodes for parameter in node.parameters}
        assert {name for name in names if "router.classifier.weight" in name} == {
            f"encoder.block.{index}.layer.1.mlp.router.classifier.weight" for index in found
        }


def test_tokens_without_room_are_said_to_depend_on_the_data() -> None:
    step: dict[str, Any] = {"phase": "train", "quantities": ("params",)}
    (said,) = graphacct.account(SMALL, seq_len=8, **step).inexact
    assert said.startswith("expert_capacity 2: which tokens of longer sequences find room depends on the data")
    assert graphacct.account(SMALL, seq_len=2, encoder_seq_len=2, **step).inexact == ()


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"router_dtype": "float64"}, "router_dtype"),
    ({"dense_act_fn": "gated-gelu"}, "dense_act_fn cannot be 'gated-gelu'"),
)


@pytest.mark.parametrize(("content", "message"), REFUSED, ids=lambda value: str(value)[:30])
def test_what_is_refused(content: dict[str, Any], message: str) -> None:
    with pytest.raises(graphacct.GraphacctError, match=message):
        graphacct.account({**SMALL, **content})
