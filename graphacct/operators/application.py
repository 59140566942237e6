"""An operator applied: its sizes, its outputs and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from graphacct.dims import Dim, exact_div, same
from graphacct.operators.arguments import PAIRS
from graphacct.operators.cost import Cost, Work
from graphacct.operators.mask import Share
from graphacct.tensors import TensorSpec


@attrs.frozen(eq=False, repr=False)
class Application:
    """An operator applied to operands of certain specs.

    Attributes:
        dims: The sizes of the signature's dimensions, by name.
        batch: The dimensions that `...` stands for, after broadcasting.
        outputs: The outputs' specs.
        view: Whether the outputs share the first operand's storage.
        cost: What it costs, under the convention `exact`.
        in_place: Whether the output overwrites the first operand.
        share: The part of attention's pairs that is counted; None if all are.
        saved: What it saves, by which operands' gradients are computed, once that was asked for (`saves.py`). None if
            it is not remembered: what follows from sizes that are no ints is decided anew each time.
    """

    dims: dict[str, Dim]
    batch: tuple[Dim, ...]
    outputs: tuple[TensorSpec, ...]
    view: bool
    cost: Cost
    in_place: bool = False
    share: Share | None = None
    saved: dict[Any, Any] | None = None

    def counted(self, evaluate: Callable[[Mapping[str, Dim]], Work], gradient: bool = False) -> Work:
        """Returns the counted part of the work that `evaluate(dims)` gives. What the gradient of a product has besides
        products (sums over what was broadcast) is of no pairs."""
        share = self.share
        if share is None:
            return evaluate(self.dims)
        if not share.stated:
            work = evaluate(self.dims)
            work = attrs.evolve(work, matmul_flops=share.of_products(work.matmul_flops))
            if gradient and not same(self.cost.matmul_flops, 0):
                return work
            vector, functions = share.part(work.vector_flops), share.part(work.transcendentals)
            return attrs.evolve(work, vector_flops=vector, transcendentals=functions)
        work = evaluate({**self.dims, PAIRS: share.pairs})
        products = evaluate({**self.dims, PAIRS: share.twice}).matmul_flops
        return attrs.evolve(work, matmul_flops=exact_div(products, 2))
