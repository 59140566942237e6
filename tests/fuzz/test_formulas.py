"""The formulas of every preset: at random sizes they are the figures of reports, to the unit.

`make test` has a few presets, `make fuzz` all of them, at 20 sizes each.
"""

from __future__ import annotations

import os
import random

import pytest
from deriving.points import points, reported, run
from runnable import runnable

import graphacct
from graphacct.hooks.manager import default

MANY = "FUZZ_CASES" in os.environ
STEP = 1 if MANY else 250
SIZES = 20 if MANY else 2
OF_A_STEP = ("step_flops", "saved_bytes", "peak_bytes")


def models() -> list[str]:
    """The presets of each family, and the families without one."""
    found = {name for family in default().architectures.values() for name in family.presets or (family.name,)}
    return sorted(found)[::STEP]


@pytest.mark.parametrize("model", models())
def test_formulas_are_the_figures_of_reports(model: str) -> None:
    """Params and FLOPs of a forward pass, and by chance one figure of a training step."""
    chance = random.Random(None if os.environ.get("EXAMPLES") == "random" else model)
    options = runnable(model)
    asked = [({}, "params"), ({}, "flops"), ({"phase": "train"}, chance.choice(OF_A_STEP))]
    for more, quantity in asked:
        given = {**options, **more}
        try:
            graphacct.account(model, quantities=["params"], **given)
        except graphacct.GraphacctError:
            continue  # a phase that the model has not
        formula = graphacct.formula(model, quantity=quantity, **given)
        assert formula.value == reported(model, formula, {}, given) == run(formula, dict(formula.symbols))
        for sizes in points(formula, chance, SIZES):
            figure = reported(model, formula, sizes, given)
            assert figure is None or formula(**sizes) == run(formula, sizes) == figure, (quantity, sizes)
