"""Saved graphs with anything in their JSON, and files that are no JSON any more: a graph, or an error that names it."""

from __future__ import annotations

import copy
import json
import random
from functools import cache
from pathlib import Path
from typing import Any

from cases import cases, damage_bytes, damage_json

import graphacct

TINY = {"n_layer": 2, "n_embd": 8, "n_head": 2, "vocab_size": 11, "n_positions": 8}
T5 = {"num_layers": 2, "d_model": 8, "num_heads": 2, "d_kv": 4, "d_ff": 12, "vocab_size": 11}


@cache
def saved(folder: Path) -> list[Any]:
    """The JSON of small graphs: with a block, written out, with two stacks, of a training step, convolutional."""
    graphs = [
        graphacct.build("gpt2", seq_len=4, set=TINY),
        graphacct.build("gpt2", seq_len=4, set=TINY, attention="eager").unroll(),
        graphacct.build("gpt2", seq_len=4, set=TINY, phase="train"),
        graphacct.build("t5-small", seq_len=4, set=T5),
        graphacct.build("resnet18", image_size=32),
    ]
    contents = []
    for index, graph in enumerate(graphs):
        file = folder / f"{index}.json"
        graphacct.save(graph, file)
        contents.append(json.loads(file.read_text()))
    return contents


def test_damaged_graphs(quick: Path) -> None:
    """Whatever stands in the file."""

    def read_damaged(rng: random.Random) -> None:
        content = copy.deepcopy(rng.choice(saved(quick)))
        for _ in range(rng.randrange(1, 4)):
            content = damage_json(rng, content)
        data = json.dumps(content).encode()
        if rng.random() < 0.2:
            data = damage_bytes(rng, data)
        file = quick / "damaged.json"
        file.write_bytes(data)
        graph = graphacct.load(file)
        kind = rng.randrange(6)
        if kind == 0:
            graphacct.account(graph, unknown="report")
        elif kind == 1:
            graphacct.memory(graph, phase="forward", unknown="report")
        elif kind == 2:
            graph.unroll()

    cases("graph", read_damaged)
