"""A small graph whose names try to get out of every format that they are written in."""

from __future__ import annotations

from graphacct import Builder, Report, account
from graphacct.hooks.manager import default

SCOPE = "<script>alert(\"x\")</script> & 'q' | [red]no[/red] \x1b[31m\n`*_#"
FORMULA = "=HYPERLINK(1)\x9b31m\u202e\ud800"
COMMAND = "-cmd|' /C calc'!A0"


def report() -> Report:
    """A linear layer and a ReLU under hostile names."""
    builder = Builder(SCOPE, default().operators, workload={"batch": SCOPE})
    x = builder.input("x", (2, 4))
    with builder.scope(SCOPE):
        y = builder.apply("linear", x, builder.parameter("w|<b>", (8, 4)), name=FORMULA)
    return account(builder.graph(builder.apply("relu", y, name=COMMAND)))


def harmless(text: str) -> bool:
    """Whether a terminal shows the text as it is."""
    return all(line.isprintable() for line in text.split("\n"))
