"""The Decision Transformer, equal to the unit with what torch measured of transformers 5.23."""

import pytest

import graphacct

SMALL = {
    **{"model_type": "decision_transformer", "hidden_size": 8, "n_head": 2, "n_layer": 2, "n_inner": 12},
    **{"state_dim": 3, "act_dim": 4, "max_ep_len": 30, "n_positions": 40},
}


def test_what_torch_measures() -> None:
    """Parameters, and the FLOPs of a forward pass and of a step, of 12 steps of a game."""
    found = graphacct.account(SMALL, seq_len=12, phase="train", attention="eager", convention="matmul").total
    figures = ("params", "forward_matmul_flops", "step_matmul_flops")
    assert tuple(found[name] for name in figures) == (1824, 150528, 450048)


@pytest.mark.parametrize("key", ["reorder_and_upcast_attn", "add_cross_attention"])
def test_what_is_not_modelled(key: str) -> None:
    said = f"^{key} is True, which is not modelled here: --set {key}=false leaves it out$"
    with pytest.raises(graphacct.GraphacctError, match=said):
        graphacct.build({**SMALL, key: True}, seq_len=4)
