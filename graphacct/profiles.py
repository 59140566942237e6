"""Execution profiles: how operators run in a framework on a device, which decides what is kept and for how long.

A graph says what is computed; a profile says as which kernels. It is data: for an operator that runs as several
kernels, a function that writes it out in others (the same shapes in and out), and for one whose backward pass keeps
other tensors than its operator declares, those. Costs are the graph's own; memory is worked out on the kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from graphacct.operators import Operator, Saved


@attrs.frozen(eq=False)
class Profile:
    """How operators run.

    Attributes:
        name: What users call it.
        doc: One sentence: the framework, the device, and what is fused.
        expand: For an operator that runs as several kernels: a function `(trace, *operands, **attributes)` that
            applies them with `trace.apply(operator, *operands, **attributes)` and gives the outputs.
        saves: For an operator that keeps other tensors than it declares: what it keeps here.
        replaces: Whether it takes the place of a profile of this name from another plugin.
    """

    name: str
    doc: str
    expand: Mapping[str, Callable[..., Any]] = attrs.field(factory=dict)
    saves: Mapping[str, tuple[Saved, ...]] = attrs.field(factory=dict)
    replaces: bool = False

    def operators(self, operators: Mapping[str, Operator]) -> dict[str, Operator]:
        """The operators, with what they keep under this profile."""
        table = dict(operators)
        for name, saves in self.saves.items():
            if name in table:
                table[name] = attrs.evolve(table[name], saves=saves)
        return table


DECLARED = Profile("declared", "Every operator one kernel, which keeps what its operator declares.")
