"""Formulas give the rows that single reports give: with every refusal, at every branch, to the unit."""

from typing import Any

import numpy
import pytest

import graphacct
from graphacct.sweeping import program
from graphacct.sweeping.found import boxes
from graphacct.sweeping.report_evaluator import ReportEvaluator
from graphacct.sweeping.traced_evaluator import TracedEvaluator

GRIDS: dict[str, tuple[str, dict[str, str], list[str], dict[str, Any]]] = {
    "heads that do not divide, and positions beyond those learned": (
        "gpt2",
        {"d_model": "96,100,144", "n_head": "1,3,7,12", "n_layer": "1,12", "seq_len": "1,100,1024,1025"},
        ["params", "flops", "flops(attention)", 'params("*.mlp")', "arithmetic_intensity"],
        {},
    ),
    "grouped heads, a training step": (
        "llama-3-8b",
        {"num_attention_heads": "4,8", "num_key_value_heads": "1,8", "seq_len": "1,60", "batch": "1,2"},
        ["step_flops", "saved_bytes", "peak_bytes", "backward_peak_bytes"],
        {"phase": "train"},
    ),
    "a pattern of layers, and windows": (
        "gemma-2-2b",
        {"seq_len": "4000:9000:1000", "num_hidden_layers": "2,4"},
        ["flops", "kv_cache_bytes"],
        {"phase": "prefill"},
    ),
    "a generation, which is no single graph": (
        "gpt2",
        {"prompt_len": "1,16", "new_tokens": "1,5"},
        ["flops"],
        {"phase": "generate"},
    ),
    "layers that differ, and experts": (
        "deepseek-v3",
        {"num_hidden_layers": "4,5", "first_k_dense_replace": "1,2", "seq_len": "1,100"},
        ["params", "active_params", "flops"],
        {},
    ),
}


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "floats"])
@pytest.mark.parametrize("grid", GRIDS)
def test_rows_are_those_of_single_reports(grid: str, exact: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    model, over, keep, options = GRIDS[grid]
    found = []
    for evaluator in (ReportEvaluator, TracedEvaluator):
        monkeypatch.setattr(program, "evaluator_of", evaluator)
        found.append(graphacct.sweep(model, over=over, keep=keep, exact=exact, **options))
    slow, fast = found
    assert fast.refusals == slow.refusals
    for name, values in slow.columns.items():
        if exact:
            assert list(fast.columns[name]) == list(values), name
        else:
            numpy.testing.assert_allclose(fast.columns[name], values, rtol=1e-14, err_msg=name)


def evaluators(monkeypatch: pytest.MonkeyPatch) -> list[TracedEvaluator]:
    """Returns the list to which each evaluator that is made is added."""
    made: list[TracedEvaluator] = []

    def noted(question: Any) -> TracedEvaluator:
        made.append(TracedEvaluator(question))
        return made[-1]

    monkeypatch.setattr(program, "evaluator_of", noted)
    return made


def test_a_trace_speaks_for_many_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """1,260 widths, depths and lengths: one trace has those at which heads divide the width, one more the others."""
    made = evaluators(monkeypatch)
    over = {"d_model": "120:600:24", "n_head": "3,6,16", "n_layer": "6:10", "seq_len": "8:1024:256"}
    sweep = graphacct.sweep("gpt2", over=over, keep=["flops"])
    assert len(sweep.columns["flops"]) + sum(refusal.count for refusal in sweep.refusals) == 21 * 3 * 5 * 4
    assert len(made[0].partitions) == 2


def test_sizes_that_a_model_takes_as_numbers_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    made = evaluators(monkeypatch)
    graphacct.sweep("gemma-2-2b", over={"num_hidden_layers": "2,4", "seq_len": "16,32"}, keep=["flops"])
    assert made[0].held == {"num_hidden_layers"}, "its layers are a list: each count is traced apart"


def test_a_mask_is_cut_into_boxes() -> None:
    mask = numpy.zeros((4, 1, 6), dtype=bool)
    mask[::2, :, 1:5] = True
    mask[3, :, [0, 1, 5]] = True
    again = numpy.zeros((4, 3, 6), dtype=bool)
    cut = boxes(mask)
    assert cut is not None
    for box in cut:
        chosen = numpy.ix_(*(numpy.arange(count)[places] for count, places in zip(again.shape, box, strict=True)))
        assert not again[chosen].any(), "no point is in two boxes"
        again[chosen] = True
    assert (again == numpy.broadcast_to(mask, again.shape)).all()
