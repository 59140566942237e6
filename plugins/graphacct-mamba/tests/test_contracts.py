"""Every operator of the plugin keeps the contract of an operator; its families do with all others in tests/testing."""

from typing import Any

import graphacct_mamba
import pytest

from graphacct.testing import OperatorContract, Row
from graphacct.testing.contract import failures

ELSEWHERE = "test_mamba_families.py"


def chunks(b: Any, c: Any, m: Any, h: Any, p: Any, g: Any, n: Any) -> Any:
    operands = [(b, c, m, h, p), (b, c, m, h), (h,), (b, c, m, g, n), (b, c, m, g, n), (h,)]
    return operands, {"bounds": c + 1}


def scan(b: Any, s: Any, h: Any, p: Any, g: Any, n: Any) -> Any:
    return [(b, s, h, p), (b, s, h), (h,), (b, s, g, n), (b, s, g, n), (h,), (b, h, p, n)], {}


def delta(b: Any, h: Any, c: Any, m: Any, k: Any, v: Any) -> Any:
    keys = (b, h, c, m, k)
    return [keys, keys, keys, (b, h, c, m, v), (b, h, c, m)], {"several": c}


def kda(b: Any, h: Any, c: Any, m: Any, k: Any, v: Any) -> Any:
    keys = (b, h, c, m, k)
    return [keys, keys, keys, (b, h, c, m, v), keys], {"several": c, "later": c - 1}


def lightning(b: Any, h: Any, s: Any, k: Any, v: Any) -> Any:
    return [(b, h, s, k), (b, h, s, k), (b, h, s, v)], {"block": 3}


CONTRACTS: dict[str, dict[str, Any]] = {
    "chunk_scan": {"rows": [Row(chunks, sizes={"b": 2, "c": 3, "m": 5, "h": 7, "p": 11, "g": 1, "n": 13})]},
    "scan_step": {
        "rows": [Row(scan, sizes={"b": 2, "s": 3, "h": 7, "p": 11, "g": 1, "n": 13})],
        "without_gradient": {"*": "one step of decoding has no backward pass"},
    },
    "delta_chunks": {"rows": [Row(delta, sizes={"b": 2, "h": 7, "c": 3, "m": 5, "k": 11, "v": 13})]},
    "delta_step": {
        "rows": [Row([(2, 7, 3, 11), (2, 7, 3, 11), (2, 7, 3, 13), (2, 7, 3), (2, 7, 3), (2, 7, 11, 13)])],
        "without_gradient": {"*": "one step of decoding has no backward pass"},
    },
    "kda_chunks": {"rows": [Row(kda, sizes={"b": 2, "h": 7, "c": 3, "m": 5, "k": 11, "v": 13})]},
    "kda_step": {
        "rows": [Row([(2, 7, 3, 11), (2, 7, 3, 11), (2, 7, 3, 13), (2, 7, 3, 11), (2, 7, 3), (2, 7, 11, 13)])],
        "without_gradient": {"*": "one step of decoding has no backward pass"},
    },
    "lightning_blocks": {"rows": [Row(lightning, sizes={"b": 2, "h": 7, "s": 8, "k": 11, "v": 13})]},
    "lightning_step": {
        "rows": [Row([(2, 7, 3, 11), (2, 7, 3, 11), (2, 7, 3, 13), (2, 7, 11, 13)])],
        "without_gradient": {"*": "one step of decoding has no backward pass"},
    },
    "linear_recurrence": {"rows": [Row([(2, 3, 5), (2, 3, 5), (2, 5)])]},
    "selective_scan": {"rows": [Row([(2, 3, 5), (2, 3, 5), (3, 7), (2, 5, 7), (2, 5, 7), (2, 3, 7)])]},
    "recurrent_state": {"rows": [Row(lambda s, d: ([], {"shape": (s, d)}), sizes={"s": 3, "d": 5})]},
    "state_keep": {"rows": [Row([(2, 3, 5)])]},
}


def test_every_operator_has_a_contract() -> None:
    """An operator that is added needs rows here."""
    assert {op.name for op in graphacct_mamba.graphacct_register_operators()} == set(CONTRACTS)


@pytest.mark.parametrize("name", CONTRACTS)
def test_it_keeps_its_contract(name: str) -> None:
    contract = OperatorContract.of(name, costs_in=ELSEWHERE, **CONTRACTS[name])
    assert [*failures(contract)] == []
