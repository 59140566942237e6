"""Everything that the project's own plugins register keeps the contract of its kind; operators do in their plugins."""

from __future__ import annotations

import json
from typing import Any

import networkx
import pytest

from graphacct import build
from graphacct.hooks.manager import default
from graphacct.phases import TRAIN
from graphacct.readers.graph_json import to_json
from graphacct.testing import (
    ArchitectureContract,
    ConventionContract,
    ProfileContract,
    QuantityContract,
    ReaderContract,
    Totals,
    TransformContract,
)
from graphacct.testing.contract import failures

PLUGINS = default()
SMALL = {"n_layer": 2, "n_embd": 32, "n_head": 4, "vocab_size": 64, "n_positions": 1024}
OWN_READERS = [name for name, of in PLUGINS.readers.plugins.items() if of.origin.partition(" ")[0] == "graphacct"]
"""graphacct-torch's has a test there."""
ELSEWHERE = "the goldens and the published figures of each plugin's tests"


def small(**options: Any) -> Totals:
    return Totals("gpt2", {"seq_len": 16, "set": SMALL, **options})


def of_phase(phase: str) -> Totals:
    return small(phase=phase) if phase else small()


def contract_of_reader(name: str) -> dict[str, Any]:
    """The files and objects of a reader; one that is added here needs a line."""
    config = {"model_type": "gpt2", **SMALL}
    graph = networkx.DiGraph()
    graph.add_node("x", shape=(8, 16))
    graph.add_node("y", operator="relu", shape=(8, 16))
    graph.add_edge("x", "y")
    saved = to_json(build("gpt2", seq_len=16, set=SMALL))
    return {
        "config-json": {
            "rows": [Totals("config.json"), Totals(config)],
            "files": {"config.json": json.dumps(config)},
            "also_accepts": [{"a": 1}, {}],
        },
        "graph-json": {"rows": [Totals("net.json")], "files": {"net.json": saved}},
        "networkx": {"rows": [Totals(graph)]},
    }[name]


@pytest.mark.parametrize("name", PLUGINS.architectures)
def test_architecture(name: str) -> None:
    """The first preset of each family, in every phase, with symbols, folded and written out."""
    architecture = PLUGINS.architectures[name].load()
    rows = [Totals(next(iter(architecture.presets), name))]
    contract = ArchitectureContract.of(architecture, rows=rows, costs_in=ELSEWHERE)
    assert [*failures(contract)] == []


@pytest.mark.parametrize("name", PLUGINS.conventions)
def test_convention(name: str) -> None:
    contract = ConventionContract.of(name, rows=[small(), small(attention="eager")], costs_in=ELSEWHERE)
    assert [*failures(contract)] == []


@pytest.mark.parametrize("name", PLUGINS.quantities)
def test_quantity(name: str) -> None:
    phase = PLUGINS.quantities[name].phase.partition(" ")[0]
    assert [*failures(QuantityContract.of(name, rows=[of_phase(phase)], costs_in=ELSEWHERE))] == []


@pytest.mark.parametrize("name", PLUGINS.profiles)
def test_profile(name: str) -> None:
    assert [*failures(ProfileContract.of(name, rows=[of_phase(TRAIN)], costs_in=ELSEWHERE))] == []


@pytest.mark.parametrize("name", PLUGINS.transforms)
def test_transform(name: str) -> None:
    needed = {"lora": {"adapters": ("4:*.c_attn",)}}
    contract = TransformContract.of(name, rows=[small()], given=needed.get(name, {}), costs_in=ELSEWHERE)
    assert [*failures(contract)] == []


@pytest.mark.parametrize("name", OWN_READERS)
def test_reader(name: str) -> None:
    assert [*failures(ReaderContract.of(name, costs_in=ELSEWHERE, **contract_of_reader(name)))] == []
