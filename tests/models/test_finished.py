"""Finished graphs: training figures of any graph, and the phases that one has not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct import Builder, ConfigError, Graph, memory
from graphacct.hooks.manager import default

DECONV = {
    "schema": "graphacct.graph/1",
    "name": "deconv",
    "inputs": [{"name": "x", "shape": [1, 8, 6, 6]}],
    "nodes": [
        {
            "name": "up",
            "operator": "convolution_transposed",
            "inputs": ["x", {"parameter": "up.weight", "shape": [8, 4, 2, 2]}],
            "attributes": {"stride": 2},
        },
        {
            "name": "mix",
            "operator": "convolution",
            "inputs": ["up", {"parameter": "mix.weight", "shape": [4, 1, 3, 3]}],
            "attributes": {"padding": 1, "groups": 4},
        },
    ],
    "outputs": ["mix"],
}
TINY = {"n_layer": 3, "n_embd": 64, "n_head": 4, "vocab_size": 512, "n_positions": 32}
OFF = dict.fromkeys(("attn_pdrop", "resid_pdrop", "embd_pdrop"), 0.0)


def file(folder: Path, **changes: Any) -> Path:
    path = folder / "graph.json"
    path.write_text(json.dumps({**DECONV, **changes}))
    return path


def chain(workload: dict[str, Any] | None = None, scalar: bool = False, phase: str = "") -> Graph:
    """x (4·6) through two weights of 6·6, and if `scalar` their sum."""
    b = Builder("chain", default().operators, workload=workload or ({"phase": phase} if phase else {}))
    h = b.apply("linear", b.input("x", (4, 6)), b.parameter("w1", (6, 6)), name="first")
    y = b.apply("linear", h, b.parameter("w2", (6, 6)), name="second")
    return b.graph(b.apply("sum", y, name="total") if scalar else y)


def test_a_file_is_trained_like_a_model_by_name(tmp_path: Path) -> None:
    """The transposed convolution has 2 · 8 · 4 · 4 · 36 = 9,216 FLOPs, as many for its weight's gradient and none for
    its input's, for x is an input of the model; the other, with a kernel of its own for each of 4 channels, 2 · 4 · 9 ·
    144 = 10,368 three times."""
    found = graphacct.account(file(tmp_path), phase="train", convention="matmul").total
    assert found["forward_matmul_flops"] == 9_216 + 10_368 == 19_584
    assert found["step_matmul_flops"] == 2 * 9_216 + 3 * 10_368 == 49_536


def test_the_workload_of_a_file_may_name_its_phase(tmp_path: Path) -> None:
    """It is the phase that the graph was built for, so that a saved training step is reported as one."""
    asked = graphacct.account(file(tmp_path), phase="train")
    own = graphacct.account(file(tmp_path, workload={"phase": "train"}))
    assert own.total == asked.total
    assert own.workload["loss"] == asked.workload["loss"] == "sum of outputs"


def test_a_saved_step_stays_the_step_that_it_was(tmp_path: Path) -> None:
    """With the loss that it was built with, whether or not the phase is given again."""
    graph = graphacct.build("gpt2", phase="train", seq_len=16, set=TINY)
    graphacct.save(graph, tmp_path / "step.json")
    expected = graphacct.account(graph)
    for options in ({}, {"phase": "train"}):
        found = graphacct.account(tmp_path / "step.json", **options)
        assert (found.total, found.workload["loss"]) == (expected.total, "cross_entropy")


def test_a_forward_pass_is_trained_as_the_model_is() -> None:
    """Without dropout a model's forward graph is that of its step but for the sum: all gradients are equal."""
    options = {"seq_len": 16, "set": {**TINY, **OFF}}
    graph = graphacct.build("gpt2", **options)
    found = graphacct.account(graph, phase="train").total
    step = graphacct.account("gpt2", phase="train", loss="sum", **options).total
    for kind in ("input_grad", "weight_grad", "recompute", "optimizer"):
        assert found[f"{kind}_matmul_flops"] == step[f"{kind}_matmul_flops"]
    assert found["saved_bytes"] == step["saved_bytes"] == memory(graph).saved_activations


def test_every_kind_of_finished_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Builder's, one of networkx, and that of a function: 3 products of 2 · 4 · 6 · 6 for the second layer, 2 for the
    first, whose input needs no gradient."""
    networkx = pytest.importorskip("networkx")
    plain = networkx.DiGraph(name="plain")
    plain.add_node("x", shape=(4, 6))
    for name, before in (("first", "x"), ("second", "first")):
        plain.add_node(name, operator="linear", params={f"{name}.weight": (6, 6)})
        plain.add_edge(before, name)
    (tmp_path / "own_model_of_a_test.py").write_text(
        "from graphacct import Builder\n\n\ndef made():\n    b = Builder('made')\n"
        "    h = b.apply('linear', b.input('x', (4, 6)), b.parameter('w1', (6, 6)), name='first')\n"
        "    return b.graph(b.apply('linear', h, b.parameter('w2', (6, 6)), name='second'))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for model in (chain(), chain().nx, "own_model_of_a_test:made", plain):
        total = graphacct.account(model, phase="train").total
        assert total["step_matmul_flops"] == 5 * 2 * 4 * 6 * 6
        assert total["saved_bytes"] == 4 * 4 * 6, "the second layer's input; x is an input of the model"
    sys.modules.pop("own_model_of_a_test", None)


def test_the_gradients_start_at_a_scalar_or_at_every_output() -> None:
    """A header says which."""
    assert graphacct.account(chain(scalar=True), phase="train").workload["loss"] == "first output"
    assert "loss sum of outputs" in str(graphacct.account(chain(), phase="train"))
    assert "phase train, loss sum of outputs" in str(memory(chain()))


def test_options_of_a_step() -> None:
    """Freezing the first weight leaves only the second one's gradient; AdamW has two numbers for each of 36."""
    found = graphacct.account(chain(), phase="train", freeze=["w1"], optimizer="adamw", recompute="first").total
    assert found["step_matmul_flops"] == 3 * 2 * 4 * 6 * 6
    assert (found["gradient_bytes"], found["optimizer_state_bytes"]) == (4 * 36, 8 * 36)
    swept = graphacct.account(chain(), phase="train", profile="torch-eager-cpu", recompute="second")
    assert swept.total["recompute_matmul_flops"] == 2 * 4 * 6 * 6


@pytest.mark.parametrize(
    ("phase", "asked", "message"),
    [
        (
            "",
            {"phase": "decode"},
            "'chain' is a finished graph of the phase 'forward', which has no phase 'decode': it has",
        ),
        ("", {"phase": "prefill"}, "it has forward and train; build it anew"),
        ("train", {"phase": "forward"}, "'train', which has no phase 'forward': it has train; build it anew"),
        ("decode", {"phase": "train"}, "of the phase 'decode', which has no phase 'train': it has decode"),
        ("decode", {"freeze": ["w1"]}, "freeze: of a training step alone; 'chain' has no phase 'train'"),
        ("", {"freeze": ["w1"]}, 'freeze: of a training step alone; add phase="train"'),
        ("trian", {}, "workload of 'chain' has the phase 'trian'; did you mean 'train'"),
        ("", {"loss": "sum", "phase": "train"}, "takes no loss; a training step of it starts at its own outputs"),
        (
            "",
            {"seq_len": 3, "phase": "train"},
            "'chain' is a finished graph, whose sizes are fixed: it takes no seq_len",
        ),
    ],
)
def test_what_a_finished_graph_cannot_be_asked(phase: str, asked: dict[str, Any], message: str) -> None:
    """Every refusal names the graph and the way out."""
    with pytest.raises(ConfigError) as caught:
        graphacct.account(chain(phase=phase), **asked)
    assert message in str(caught.value)
