"""The memory of a step, part by part, against what torch was measured to have and by hand; and whether it fits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from draws import examples
from hypothesis import given
from hypothesis import strategies as st
from runs import changes_once

import graphacct
from graphacct import Builder, ConfigError, memory
from graphacct.errors import UnknownNameError
from graphacct.execution.saved_storages import saved_storages, saved_uses
from graphacct.execution.schedule import schedule
from graphacct.footprint.fits import fit, largest
from graphacct.footprint.liveness import live_bytes, live_storages
from graphacct.footprint.memory import Memory
from graphacct.hooks.manager import default

GOLDENS = Path(__file__).parents[1] / "goldens"
TINY: dict[str, dict[str, Any]] = {
    "gpt2": {"vocab_size": 512, "n_positions": 128, "n_embd": 64, "n_layer": 2, "n_head": 4},
    "transformer-lm": {"vocab_size": 512, "context_length": 128, "d_model": 64, "n_layer": 2, "n_head": 4, "d_ff": 128},
}
PROBABILITIES = ("attn_pdrop", "resid_pdrop", "embd_pdrop")
NO_DROPOUT = dict.fromkeys(PROBABILITIES, 0.0)
OPTIONS: dict[str, Any] = {"seq_len": 16, "set": {**TINY["gpt2"], "n_layer": 3}}


def runs() -> list[Any]:
    """The measured runs without checkpointing."""
    found = []
    for family in TINY:
        for run in json.loads((GOLDENS / f"act-{family}" / "truth.json").read_text())["runs"]:
            if not run["checkpointing"]:
                name = f"{family}-{run['attn']}-{run['dropout']}-{run['batch']}x{run['seq']}"
                found.append(pytest.param(family, run, id=name))
    return found


def measured(family: str, run: dict[str, Any], **options: Any) -> Memory:
    overrides = dict(TINY[family])
    if family == "gpt2":
        overrides |= dict.fromkeys(PROBABILITIES, run["dropout"])
    attention = "eager" if run["attn"] == "eager" else "fused"
    sizes = {"batch": run["batch"], "seq_len": run["seq"], "attention": attention, "set": overrides}
    return memory(family, profile="torch-eager-cpu", **sizes, **options)


@pytest.mark.parametrize(("family", "run"), runs())
def test_activations_are_torchs(family: str, run: dict[str, Any]) -> None:
    """What is kept and the forward peak, float32 on a CPU, to the byte; the gradients are as large as the weights."""
    found = measured(family, run, loss="sum")
    assert found.saved_activations == run["saved_forward_to_logits"]["activation"]["bytes"]
    assert found.forward_peak == run["train_live_loss_sum"]["forward_peak_bytes"]
    assert found.peak == max(found.forward_peak, found.backward_peak)
    assert found.gradients == found.parameters
    if "no_grad_forward" in run:
        assert measured(family, run, phase="forward").peak == run["no_grad_forward"]["peak_bytes"]


def test_the_worksheets_model() -> None:
    """23·8,192 + 10·16,384 + 2·1,024 + 5·128 bytes are kept; two rotary tables of 32 positions and 8 pairs."""
    found = measured("transformer-lm", {"batch": 1, "seq": 32, "attn": "eager"}, loss="sum")
    assert found.saved_activations == 23 * 8_192 + 10 * 16_384 + 2 * 1_024 + 5 * 128 == 354_944
    assert found.buffers == 2 * 32 * 8 * 4
    assert found.inputs == 32 * 8, "token ids as int64"


def test_the_parts_of_a_mixed_precision_step() -> None:
    """2 + 2 + 12 bytes for each of GPT-2's 124,439,808 parameters, and the total is the sum of its parts."""
    found = memory("gpt2", dtype="bf16", seq_len=32)
    params = 124_439_808
    assert (found.parameters, found.gradients, found.optimizer_state) == (2 * params, 2 * params, 12 * params)
    assert (found.master, found.optimizer, found.profile) == ("fp32", "adamw", "torch-eager-cuda")
    parts = found.parameters + found.gradients + found.optimizer_state + found.buffers + found.inputs
    assert found.total == parts + found.peak
    assert found.parameters == graphacct.account("gpt2", dtype="bf16").total["param_bytes"]


def test_ranks_share_what_the_stage_divides() -> None:
    """Stage 3 over 4 ranks leaves a quarter of weights, gradients and state, and all of the activations."""
    whole, part = memory("gpt2", **OPTIONS), memory("gpt2", dp=4, zero=3, **OPTIONS)
    assert part.peak == whole.peak
    assert whole.parameters == 4 * part.parameters
    assert whole.optimizer_state == 4 * part.optimizer_state


@pytest.mark.parametrize("attention", ["eager", "fused"])
@pytest.mark.parametrize("phase", ["forward", "train"])
@pytest.mark.parametrize("layers", [1, 2, 9])
def test_the_peak_is_what_is_alive_there(attention: str, phase: str, layers: int) -> None:
    """The tensors named at the peak add up to it, repetitions included, and it is the timeline's largest."""
    overrides = {**TINY["gpt2"], "n_layer": layers}
    found = memory("gpt2", seq_len=16, attention=attention, phase=phase, set=overrides)
    assert sum(item.bytes for item in found.live_at_peak) == found.peak
    assert max(row.live_bytes for row in found.timeline) == found.peak
    there = [(row.node, row.run) for row in found.timeline if row.live_bytes == found.peak]
    assert (found.peak_at, found.peak_in) in there
    if phase == "train":
        kept_there = sum(item.bytes for item in found.live_at_peak if item.kept_by)
        assert kept_there <= found.saved_activations <= found.peak


@examples(12)
@given(st.integers(1, 9), st.sampled_from(["forward", "train"]), st.sampled_from(["eager", "fused"]), st.booleans())
def test_tensors_alive_add_up_after_every_step(layers: int, phase: str, attention: str, keep: bool) -> None:
    """At each kernel, in the written-out ends and in the repetition that stands for many."""
    plugins = default()
    overrides = {**TINY["gpt2"], "n_layer": layers}
    graph = graphacct.build("gpt2", seq_len=16, batch=2, phase=phase, attention=attention, set=overrides)
    steps = schedule(graph, plugins.operators, plugins.profiles["torch-eager-cpu"], lambda parameter: keep)
    saved = tuple(saved_storages(saved_uses(steps)))
    with changes_once():
        for position, live in enumerate(live_bytes(steps, saved)):
            assert sum(storage.bytes * count for storage, count in live_storages(steps, position, saved)) == live


@pytest.mark.parametrize("layers", [1, 4, 11])
def test_folded_equals_unrolled(layers: int) -> None:
    """Every part is that of the model written out; the timeline alone is shorter."""
    graph = graphacct.build("gpt2", phase="train", seq_len=16, set={**TINY["gpt2"], "n_layer": layers})
    folded, flat = (
        memory(form, optimizer="muon", dp=3, zero=2, profile="torch-eager-cpu") for form in (graph, graph.unroll())
    )
    for part in (
        "parameters",
        "gradients",
        "optimizer_state",
        "saved_activations",
        "backward_peak",
        "peak",
        "fresh_peak",
        "total",
    ):
        assert getattr(folded, part) == getattr(flat, part), part


def test_a_forward_pass_has_no_gradients() -> None:
    """Nothing is kept, and parameters and activations are all there is."""
    found = memory("gpt2", phase="forward", **OPTIONS)
    assert (found.gradients, found.optimizer_state, found.saved_activations, found.optimizer) == (0, 0, 0, "")
    assert found.total == found.parameters + found.inputs + found.peak
    assert found.peak < memory("gpt2", **OPTIONS).peak


def test_frozen_parameters_have_no_state() -> None:
    """With all but the last norm frozen (64 weights, 64 biases) there are gradients and moments for these alone."""
    found = memory("gpt2", freeze=["transformer.w*", "transformer.h.*"], **OPTIONS)
    assert found.gradients == 2 * 64 * 4
    assert found.optimizer_state == 2 * 64 * 8
    assert found.saved_activations < memory("gpt2", **OPTIONS).saved_activations


def test_recomputing_keeps_less() -> None:
    """Full recomputation keeps each block's input and less at the peak."""
    plain, again = memory("gpt2", **OPTIONS), memory("gpt2", recompute="full", **OPTIONS)
    assert again.saved_activations < plain.saved_activations
    assert again.peak < plain.peak


def test_a_graph_of_ones_own() -> None:
    """x (2·3 float32) times a weight (4·3): x is an input, the output is alive; nothing of it need be kept. Going
    backward there are the output's gradient and the weight's, until it has been added."""
    builder = Builder("own", default().operators)
    x = builder.input("x", (2, 3))
    graph = builder.graph(builder.apply("linear", x, builder.parameter("weight", (4, 3)), name="fc"))
    found = memory(graph)
    assert (found.parameters, found.optimizer_state, found.inputs) == (4 * 12, 8 * 12, 4 * 6)
    assert (found.saved_activations, found.forward_peak, found.peak_at) == (0, 4 * 8, "fc")
    assert (found.peak, found.peak_in) == (4 * 8 + 4 * 8 + 4 * 12, "backward")
    with pytest.raises(ConfigError, match=r"'own' is a finished graph.* takes no loss"):
        memory(graph, loss="sum")


def test_symbols_give_a_formula() -> None:
    """With a symbol for the batch, what is kept at a number is what that number gives; no node is the peak's."""
    sympy = pytest.importorskip("sympy")
    batch = sympy.Symbol("b", integer=True, positive=True)
    formula = memory("gpt2", batch=batch, **OPTIONS)
    found = memory("gpt2", batch=3, **OPTIONS)
    assert formula.saved_activations.subs(batch, 3) == found.saved_activations
    assert formula.peak.subs(batch, 3) == found.peak
    assert (formula.peak_at, formula.live_at_peak) == ("", ())
    with pytest.raises(ConfigError, match="its total is a formula"):
        fit(formula, 10**9)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"phase": "trane"}, "phase is .*'trane'"),
        ({"phase": "forward", "optimizer": "sgd"}, "of a training step alone"),
        ({"dp": 0}, "dp is a number of data-parallel ranks, at least 1, not 0"),
        ({"zero": 4}, "zero is a ZeRO stage, 0 to 3, not 4"),
        ({"master": "fp64"}, "master is fp32 or none, not 'fp64'"),
    ],
)
def test_what_no_run_can_have(options: dict[str, Any], message: str) -> None:
    """Values that no run has are refused by name."""
    with pytest.raises(ConfigError, match=message):
        memory("gpt2", **OPTIONS, **options)


def test_unknown_names() -> None:
    """An optimizer, a profile or an operator that nobody registered."""
    with pytest.raises(UnknownNameError, match="unknown optimizer 'adam'; did you mean 'adamw'"):
        memory("gpt2", optimizer="adam", **OPTIONS)
    with pytest.raises(UnknownNameError, match="unknown profile 'torch-eager-gpu'; did you mean 'torch-eager-cpu'"):
        memory("gpt2", profile="torch-eager-gpu", **OPTIONS)
    graph = graphacct.build("gpt2", phase="train", **OPTIONS)
    nodes = tuple(attrs.evolve(node, operator="odd") if node.name == "loss" else node for node in graph.nodes)
    odd = attrs.evolve(graph, nodes=nodes)
    with pytest.raises(UnknownNameError, match="node 'loss': no operator 'odd'"):
        memory(odd)
    assert memory(odd, unknown="report").coverage.uncosted == (("loss", "odd"),)


SMALL = memory("gpt2", **OPTIONS)


@given(st.integers(1, 50), st.integers(0, 1000), st.integers(0, 100_000))
def test_the_largest_size_by_search(slope: int, start: int, budget: int) -> None:
    """For a total of start + slope · n the largest n is (budget - start) / slope, rounded down."""

    def measure(size: int) -> Memory:
        return attrs.evolve(SMALL, total=start + slope * size)

    expected = (budget - start) // slope
    if expected < 1:
        with pytest.raises(ConfigError, match=r"^not even batch 1 of 'gpt2' fits: it needs "):
            largest(measure, budget, "batch")
    else:
        found = largest(measure, budget, "batch")
        assert (found.size, found.limit) == (expected, "")
        assert found.memory.total == start + slope * expected


def test_the_largest_batch_of_a_model() -> None:
    """The next larger one does not fit."""
    budget = 5 * SMALL.total

    def measure(size: int) -> Memory:
        return memory("gpt2", batch=size, **OPTIONS)

    size = largest(measure, budget, "batch").size
    assert measure(size).total <= budget < measure(size + 1).total


def test_a_search_ends_where_the_model_does() -> None:
    """128 positions are learned: more memory makes no sequence longer, and the answer says so."""

    def measure(size: int) -> Memory:
        return memory("gpt2", seq_len=size, set=TINY["gpt2"])

    found = largest(measure, 10**12, "seq_len")
    assert found.size == 128
    assert "beyond n_positions 128" in found.limit


def test_a_search_without_end_stops() -> None:
    """A total that does not grow fits at any size; the answer is not taken for a limit of memory."""
    found = largest(lambda size: SMALL, SMALL.total, "batch")
    assert found.size >= 2**39
    assert found.limit == "no larger batch was tried"


@pytest.mark.parametrize("recompute", ["transformer.h.*", "*.attn.*", "*.mlp.act"])
def test_what_is_run_again_in_a_model_written_out(recompute: str) -> None:
    """Each layer is a region of its own, as each repetition of a block is."""
    graph = graphacct.build("gpt2", phase="train", seq_len=16, set={**TINY["gpt2"], "n_layer": 4})
    folded, flat = (memory(form, recompute=recompute, profile="torch-eager-cpu") for form in (graph, graph.unroll()))
    for part in ("saved_activations", "forward_peak", "backward_peak", "peak", "fresh_peak", "total"):
        assert getattr(folded, part) == getattr(flat, part), part
