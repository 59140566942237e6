"""Lines where lines are few: in comparisons and diffs the largest scopes are open, and little ones share a line."""

from __future__ import annotations

import pytest

import graphacct
from graphacct import account
from graphacct.graph.paths import merged, parent
from graphacct.render.compare_rows import compare_rows
from graphacct.render.diff_lines import LINES, diff_lines, figure_of, inside_of, kinds_of
from graphacct.render.folding import Fold, folded, gathered_note
from graphacct.reports.comparison import compare


def test_the_largest_is_opened_first() -> None:
    """Two scopes of four nodes and six lines: the larger one is open, in the order of the model."""
    sizes = {f"{scope}.{part}": size for scope, size in (("a", 1), ("b", 2)) for part in "wxyz"}
    tree = ["a", *[path for path in sizes if path[0] == "a"], "b", *[path for path in sizes if path[0] == "b"]]
    whole = {path: sizes.get(path, 4 if path == "a" else 8) / 12 for path in tree}
    lines = folded(tree, whole.__getitem__, lambda path: False, (), 6)
    assert [line.label for line in lines] == ["a", "b", "w", "x", "y", "z"]
    assert gathered_note(lines) == ()


def test_for_want_of_lines_the_smallest_share_one() -> None:
    """Five nodes on three lines; one that has to have its own has it, and the note does not say that they are small."""
    sizes = {"a": 0.1, "b": 0.4, "c": 0.05, "d": 0.3, "e": 0.15}
    lines = folded(sizes, sizes.__getitem__, lambda path: False, ("c",), 3)
    assert [line.paths for line in lines] == [("b",), ("c",), ("d",), ("e", "a")]
    assert (lines[-1].label, lines[-1].gathered) == ("e and 1 more", 2)
    assert gathered_note(lines) == (
        "lines “and … more” are sums of what has no line of its own; give a depth to list each",
    )
    assert "less than 0.1 %" in gathered_note([Fold(("a", "b"), small=True)])[0]


@pytest.mark.parametrize("quantity", ["flops", "params", "write_bytes"])
def test_lines_of_a_comparison_add_up(quantity: str) -> None:
    """In each model those at the top are the total, and those in an open scope are the scope."""
    reports = [account(name, seq_len=64, quantities=[quantity]) for name in ("gpt2", "llama-3-8b", "mixtral-8x7b")]
    found = compare(reports, quantity)
    rows, _, note = compare_rows(found, 36)
    assert note
    assert len(rows) <= 36
    for place, report in enumerate(reports):
        scopes = dict.fromkeys(row.scope or "" for row in rows)
        for scope in scopes:
            inside = sum(row.values[place] or 0 for row in rows if (row.scope or "") == scope)
            whole = next((row.values[place] or 0 for row in rows if row.path == scope), report.total[quantity])
            assert inside == whole
    if quantity == "flops":
        assert {row.path for row in rows} > {"model.layers.*.self_attn.q_proj", "transformer.h.*.attn.c_attn"}


def test_a_depth_is_a_comparison_of_all_rows() -> None:
    """JSON has the rows of so many levels, or every row; sums of small ones are only in the table."""
    report = account("gpt2", seq_len=8, quantities=["flops"])
    assert len(compare([report], depth=2).to_dict()["rows"]) == len([row for row in report.by_scope if row.depth < 2])
    found = compare([report])
    assert len(found.to_dict()["rows"]) == len(report.by_scope)
    assert "and 3 more" in str(found)
    assert "more”" not in str(compare([report], depth=9))


def test_a_diff_opens_what_differs_most() -> None:
    """More than 30 lines differ: the experts are open, and what stands at the top adds up to both models' totals."""
    found = graphacct.diff("deepseek-v2-lite", "deepseek-v3", seq_len=64, quantity="flops")
    both = [{row.path: row.values["flops"] for row in report.by_scope} for report in (found.first, found.other)]
    inside = inside_of(found.changes)
    paths = [path for path in merged([list(figures) for figures in both]) if path in inside]
    assert len(paths) > LINES
    lines = diff_lines(found, paths, None)
    assert len(lines) <= LINES
    assert "model.layers.*.mlp.experts.gate_up_proj" in {line.path for line in lines}
    top = [line for line in lines if parent(line.path) == ""]
    for figures, report in zip(both, (found.first, found.other), strict=True):
        assert sum(figure_of(line, figures, "sum") for line in top) == report.total["flops"]
    layers = [line for line in lines if parent(line.path) == "model.layers.*"]
    held: dict[str, int] = {}
    for line in layers:
        held |= {kind: held.get(kind, 0) + count for kind, count in kinds_of(line, inside).items()}
    assert held == inside["model.layers.*"]
    assert "sums of what differs by less than 0.1 % of what differs in all" in str(found)
    assert [line.path for line in diff_lines(found, paths, 1)] == ["model", "lm_head"]
