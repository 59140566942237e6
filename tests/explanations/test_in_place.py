"""Explanations of what has no memory of its own: operations in place, and views."""

from __future__ import annotations

from graphacct import Builder, Graph, account, explain
from graphacct.hooks.manager import default
from graphacct.render.explanation import to_text


def _graph() -> Graph:
    """h = x @ w; h.mul_(gain); a slice of h."""
    builder = Builder("written", default().operators)
    weight = builder.parameter("up.weight", (8, 8))
    gain = builder.parameter("gain", (8,))
    h = builder.apply("linear", builder.input("x", (3, 8)), weight, name="up")
    h = builder.apply("mul", h, gain, in_place=True, name="scaled")
    return builder.graph(builder.apply("slice", h, dim=0, start=0, length=2, name="part"))


def test_an_output_in_place_says_what_it_overwrites() -> None:
    """`gives` names the value in whose storage the output is; of a view it names the storage."""
    report = account(_graph())
    assert "gives       scaled float32[3, 8], in place: written over up\n" in to_text(explain(report, "scaled"))
    assert "gives       part float32[2, 8], a view: the storage of scaled\n" in to_text(explain(report, "part"))
    assert "gives       up float32[3, 8]\n" in to_text(explain(report, "up"))


def test_a_copy_of_what_is_overwritten_says_so() -> None:
    """The gradient of the gain needs h as it was, which torch copies: 3 * 8 * 4 bytes."""
    report = account(_graph(), phase="train")
    text = to_text(explain(report, "scaled", "saved_bytes"))
    assert "x float32[3, 8], a copy made before it is overwritten: 96 bytes; kept because mul's backward" in text
    assert [row.copied for row in explain(report, "scaled").saved] == [True, False]
