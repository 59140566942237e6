"""Every operator of the plugin keeps the contract of an operator; its families do with all others in tests/testing."""

from typing import Any

import graphacct_vision
import pytest

from graphacct import TensorSpec
from graphacct.testing import OperatorContract, Row
from graphacct.testing.contract import failures

ELSEWHERE = "test_batch_norm.py and test_pooling.py"


def pooled(b: Any, c: Any, s: Any, t: Any) -> Any:
    return [(b, c, s + 2, t + 2)], {"kernel": 3, "stride": 2, "padding": 1}


SIZES = {"b": 2, "c": 3, "s": 5, "t": 7}
STATISTICS = dict.fromkeys(("running_mean", "running_var", "num_batches_tracked"), "a buffer")
CONTRACTS: dict[str, dict[str, Any]] = {
    "batch_norm": {
        "rows": [
            Row([(2, 3, 5), (3,), (3,), (3,), (3,), TensorSpec((), "int64")], {"training": training})
            for training in (False, True)
        ],
        "without_gradient": STATISTICS,
    },
    "max_pool": {"rows": [Row(pooled, sizes=SIZES)]},
    "avg_pool": {"rows": [Row(pooled, sizes=SIZES)]},
    "adaptive_avg_pool": {"rows": [Row([(2, 3, 14, 21)], {"size": 7})]},
}


def test_every_operator_has_a_contract() -> None:
    """An operator that is added needs rows here."""
    assert {op.name for op in graphacct_vision.graphacct_register_operators()} == set(CONTRACTS)


@pytest.mark.parametrize("name", CONTRACTS)
def test_it_keeps_its_contract(name: str) -> None:
    contract = OperatorContract.of(name, costs_in=ELSEWHERE, **CONTRACTS[name])
    assert [*failures(contract)] == []
