"""The contract of an optimizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import attrs

from graphacct.errors import GraphacctError
from graphacct.operators.cost import Work
from graphacct.phases import TRAIN
from graphacct.tensors import TensorSpec
from graphacct.testing import worlds
from graphacct.testing.figures import FigureContract
from graphacct.testing.operators import FACTOR
from graphacct.testing.rows import Sized
from graphacct.testing.totals import sample_rows
from graphacct.training.optimizers import Optimizer
from graphacct.verbs.account import account

SHAPES: tuple[tuple[int, ...], ...] = ((), (1,), (7,), (4, 6), (6, 4), (2, 3, 4), (2, 3, 4, 5))
"""Those of parameters: a scalar (a temperature), vectors, matrices of both kinds, a stack of experts, a filter."""
DTYPES = ("float32", "bfloat16")
QUANTITIES = ("optimizer_state_bytes", "optimizer_flops")


@attrs.frozen(init=False)
class Update:
    """A parameter, and what an update of it takes: `Update((4, 6), state_bytes=2 * 4 * 24, vector_flops=14 * 24)`.

    Attributes:
        spec: What is updated: a shape (float32) or a TensorSpec.
        stated: Figures: `state_bytes`, and those of a `Work`.
    """

    spec: TensorSpec
    stated: Mapping[str, int]

    def __init__(self, spec: tuple[int, ...] | TensorSpec, **stated: int) -> None:
        self.__attrs_init__(spec if isinstance(spec, TensorSpec) else TensorSpec(tuple(spec)), stated)

    def __str__(self) -> str:
        return f"{self.spec.dtype}{[*self.spec.shape]}"


class OptimizerContract(FigureContract):
    """What holds for every optimizer. A subclass sets `optimizer` and `rows`, of Updates.

    Attributes:
        optimizer: The optimizer, or its name.
    """

    kind = "optimizers"
    noun = "optimizer"
    example = "Update((4, 6), state_bytes=2 * 4 * 24, vector_flops=14 * 24)"
    optimizer: ClassVar[Optimizer | str]

    def sized(self, row: Update) -> Sized:
        """Returns a size for each dimension."""
        return Sized({f"dim_{axis}": size for axis, size in enumerate(map(int, row.spec.shape))}, _unused, True)

    def figures(self, row: Update) -> worlds.Figures:
        """Returns the state and the work of one update of a tensor of the row's rank and dtype."""
        optimizer = self.thing()

        def of(**sizes: Any) -> dict[str, Any]:
            spec = TensorSpec(tuple(sizes.values()), row.spec.dtype)
            work = optimizer.step(spec)
            if not isinstance(work, Work):
                self.fail(f"its step is {work!r}", "Return graphacct.Work(vector_flops=…).")
            return {"state_bytes": optimizer.state(spec), **{name: getattr(work, name) for name in worlds.WORK}}

        return of

    def test_it_says_what_it_keeps_and_where_that_is_from(self) -> None:
        """`graphacct list optimizers` has its sentence; its source, or the docstring of `step`, has its factors."""
        self.check_sentence()
        optimizer = self.thing()
        if not optimizer.source:
            self.fail("it has no source", "Say where state and step are written down: 'Chen et al., 2023 (…)'.")
        step = str(optimizer.step.__doc__ or "")
        if not FACTOR.search(optimizer.source) and not FACTOR.search(step):
            self.fail(
                f"its source states no factor: {optimizer.source!r}",
                "Say there, or in the docstring of step, what is counted: '4 per element: momentum 2, update 2'.",
            )

    def test_every_parameter_can_be_updated(self) -> None:
        """A scalar, vectors, matrices and filters, in float32 and bfloat16, each have a state and a step."""
        optimizer = self.thing()
        shapes = [shape for shape in SHAPES if optimizer.others is None or len(shape) > 1]
        for spec in (TensorSpec(shape, dtype) for shape in shapes for dtype in DTYPES):
            shown = f"{spec.dtype}{[*spec.shape]}"
            try:
                state, work = optimizer.state(spec), optimizer.step(spec)
            except Exception as error:
                self.fail(
                    f"a parameter {shown} raises {type(error).__name__}: {error}",
                    "state and step are asked for every parameter of a model: others= takes what is no hidden matrix.",
                )
            if type(state) is not int or state < 0:
                self.fail(f"the state of {shown} is {state!r}", "Return its bytes: spec.bytes for one copy.")
            if not isinstance(work, Work):
                self.fail(f"its step is {work!r}", "Return graphacct.Work(vector_flops=…).")
            for name in worlds.WORK:
                if type(getattr(work, name)) is not int:
                    self.fail(f"{name} of a step of {shown} is {getattr(work, name)!r}", "A formula returns ints.")

    def test_a_training_step_updates_with_it(self) -> None:
        """A model's state and update are the same in blocks as written out."""
        plugins = self.in_use()
        options: dict[str, Any] = {
            "phase": TRAIN,
            "optimizer": self.thing().name,
            "quantities": QUANTITIES,
            "plugins": plugins,
        }
        for row in sample_rows(plugins, train=True)[:1]:
            try:
                report = account(row.model, **options)
                flat = account(report.annotated.graph.unroll(plugins.operators), **_of_graph(options))
            except GraphacctError as error:
                self.fail(f"a training step of {row.model} raises {error}", "Mend state or step.")
            for name in QUANTITIES:
                if report.total[name] != flat.total[name]:
                    self.fail(
                        f"{name} of {row.model} is {report.total[name]} with blocks and {flat.total[name]} written out",
                        "state and step go by the shape and the dtype alone, the same for equal parameters.",
                    )


def _of_graph(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "phase"}


def _unused(**sizes: Any) -> Any:
    raise NotImplementedError
