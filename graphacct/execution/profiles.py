"""Execution profiles: how operators run in a framework on a device, which decides what is kept and for how long.

A graph says what is computed; a profile says as which kernels. It is data: for an operator that runs as several
kernels, a function that writes it out in others (the same shapes in and out), for one whose backward pass keeps other
tensors than its operator declares, those, and what its backward pass makes. Costs are the graph's own; memory is
worked out on the kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from graphacct.operators.operator import Operator, Saved


@attrs.frozen(eq=False)
class Profile:
    """How operators run.

    Attributes:
        name: What users call it.
        doc: One sentence: the framework, the device, and what is fused.
        expand: For an operator that runs as several kernels: a function `(trace, *operands, **attributes)` that
            applies them with `trace.apply(operator, *operands, **attributes)` and gives the outputs.
        kernels: Operators that are no node of a graph: what `expand` may apply beside those that are registered.
        casts: The dtype that an operator's floating-point operands are cast to before it runs (`widest`: that which
            they are promoted to); nothing that it expands to is cast again. Copies of parameters are made once and
            live to the end of the pass, as those of torch's autocast do.
        cast: The operator that casts, with an attribute `dtype`.
        saves: For an operator that keeps other tensors than it declares: what it keeps here.
        backward: What the backward pass of an operator makes: a function `(trace, g, *operands, **attributes)` that
            records its kernels with `trace.apply(operator, *tensors)` and `trace.new(*like)` and gives the gradient of
            each operand: a new tensor, a view of g or g itself, None for one that `trace.wanted` does not ask for. A
            gradient of a broadcast operand may have the output's shape: its sum is the engine's. An operator without
            one makes a new gradient of each operand in one kernel, or a view where it is a view itself.
        replaces: Whether it takes the place of a profile of this name from another plugin.
    """

    name: str
    doc: str
    expand: Mapping[str, Callable[..., Any]] = attrs.field(factory=dict)
    saves: Mapping[str, tuple[Saved, ...]] = attrs.field(factory=dict)
    kernels: Mapping[str, Operator] = attrs.field(factory=dict)
    casts: Mapping[str, str] = attrs.field(factory=dict)
    cast: str = "cast"
    backward: Mapping[str, Callable[..., Any]] = attrs.field(factory=dict)
    replaces: bool = False

    def operators(self, operators: Mapping[str, Operator]) -> dict[str, Operator]:
        """The operators, with what they keep under this profile, and its own kernels."""
        table = {**operators, **self.kernels}
        for name, saves in self.saves.items():
            if name in table:
                table[name] = attrs.evolve(table[name], saves=saves)
        return table


DECLARED = Profile("declared", "Every operator one kernel, which keeps what its operator declares.")
