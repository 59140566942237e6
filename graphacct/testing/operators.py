"""The contract of an operator."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar
from unittest import SkipTest

from graphacct.errors import GraphacctError
from graphacct.operators.operator import Operator
from graphacct.operators.saves import saved_tensors
from graphacct.testing import worlds
from graphacct.testing.needs import needed
from graphacct.testing.reference import measured
from graphacct.testing.refusals import RefusalTests
from graphacct.testing.rows import COSTS, Row, Sized, sized

FACTOR = re.compile(
    r"\d+ (vector |matmul )?(FLOPs|per|addition|comparison|product|for)\b|[Nn]o arithmetic|not (counted as )?FLOPs"
    r"|no work|[Oo]ne (addition|comparison|product|division)"
)
"""What counts as a factor: `2 per element`, `2 FLOPs per multiply-add`, `1 product`, `no arithmetic`."""


class OperatorContract(RefusalTests):
    """What holds for every operator. A subclass sets `operator` and `rows`.

    Attributes:
        operator: The operator, or its name.
        rows: Operands and what they cost: two or three, of which no two have the same shapes.
        wrong: Lists of operands (shapes or TensorSpecs) that the operator must refuse, beside those that the tests make
            from the rows.
        may_differ: Operands whose sizes need not fit those of others although a row has the same numbers, each with the
            reason: an index may be of fewer elements.
        may_fall: Sizes with which a cost may fall, each with the reason: a larger kernel gives fewer positions.
        without_gradient: Floating-point operands that have no gradient, each with the reason; "*" for all.
        costs_in: Where else the costs are checked, if the rows state none.
        reference: The framework's function that this is, to compare with: `"torch.nn.functional.softplus"`, or a
            function that imports the framework itself. It is called with the operands and the attributes.
    """

    operator: ClassVar[Operator | str]
    may_fall: ClassVar[Mapping[str, str]] = {}
    without_gradient: ClassVar[Mapping[str, str]] = {}
    costs_in: ClassVar[str] = ""
    reference: ClassVar[str | Callable[..., Any] | None] = None

    def test_rows_state_what_it_costs(self) -> None:
        """Each row's costs, outputs and gradients are those that the row states."""
        operator = self.thing()
        if not self.rows:
            self.fail("its contract has no rows", "Give two or three: rows = (Row([(2, 3)], vector_flops=12), …).")
        if not self.costs_in and not any(row.costs for row in self.rows):
            self.fail("no row states a cost", "Work one out by hand: Row([(2, 3)], vector_flops=2 * 6).")
        for row, specs, attributes in self._operands():
            found = worlds.figures(operator, specs, attributes)
            for name, cost in row.costs.items():
                if found[name] != cost:
                    self.fail(
                        f"{name} of {row} is {found[name]}, and the row says {cost}",
                        "One of the two is wrong: work it out by hand, and mend the formula or the row.",
                    )
            outputs = [tuple(output.shape) for output in operator.apply(specs, attributes).outputs]
            if row.outputs is not None and outputs != [*map(tuple, row.outputs)]:
                self.fail(
                    f"its outputs for {row} are {outputs}, and the row says {[*row.outputs]}",
                    "Mend the signature's right side (or infer=), or the row.",
                )
            stated = dict(worlds.gradients(operator, specs, attributes))
            for name, cost in row.gradients.items():
                work = stated.get(name)
                flops = None if work is None else work.matmul_flops + work.vector_flops
                if flops != cost:
                    self.fail(
                        f"the gradient of {name} for {row} is {flops} FLOPs, and the row says {cost}",
                        f"Mend gradients={{{name!r}: …}} of the operator, or the row.",
                    )

    def test_symbols_agree_with_ints(self) -> None:
        """The formula with symbols as sizes, evaluated, is what ints give; and ints give ints."""
        for row, size in self._sized():
            figures = worlds.figures_of(self.thing(), size.make)
            for at in (worlds.points(size, worlds.SMALL), worlds.points(size, worlds.LARGE, 1)):
                self.check_worlds(row, worlds.symbols_against_ints(figures, at), "a symbol")

    def test_arrays_agree_with_ints(self) -> None:
        """Each point of a sweep is what ints give: in float64, and without any limit in Python ints."""
        needed("numpy")
        for row, size in self._sized():
            figures = worlds.figures_of(self.thing(), size.make)
            at = worlds.points(size, worlds.SMALL)
            self.check_worlds(row, worlds.arrays_against_ints(figures, at, float), "an array")
            at = worlds.points(size, worlds.LARGE, 2)
            self.check_worlds(row, worlds.arrays_against_ints(figures, at, object), "an array of Python ints")

    def test_costs_never_fall_when_a_size_grows(self) -> None:
        """More elements are at least as much work, and as many bytes."""
        operator = self.thing()
        for row, size in self._sized():
            before = worlds.figures(operator, *size.at({}))
            for name, number in size.sizes.items():
                if name in self.may_fall:
                    continue
                for grown in (number * 2, number * 3):
                    try:
                        after = worlds.figures(operator, *size.at({name: grown}))
                    except GraphacctError as error:
                        self.fail(
                            f"{name} of {row} cannot grow to {grown}: {error}",
                            "If an attribute has this size too, write the row's operands as a function of sizes.",
                        )
                    for cost in COSTS:
                        if after[cost] < before[cost]:
                            self.fail(
                                f"{cost} falls from {before[cost]} to {after[cost]} when {name} grows from {number} "
                                f"to {grown} in {row}",
                                f"Mend the formula, or say why: may_fall = {{{name!r}: '…'}}.",
                            )

    def test_docstring_states_factor_and_source(self) -> None:
        """`explain` prints the docstring as the source of the number: what is computed, from where, at which factor."""
        operator = self.thing()
        text = str(operator.doc)
        if not text:
            self.fail(
                "it has no docstring", "Say what it computes and where that is from, then the factor per element."
            )
        forward = text.partition("Backward")[0]
        stated = FACTOR.search(forward)
        if stated is None:
            self.fail(
                f"its docstring states no factor: {text[:80]!r}",
                "Say what is counted: '2 per element: a comparison, a product', or 'No arithmetic'.",
            )
        if not forward[: stated.start()].strip() and len(forward[stated.end() :].split()) < 4:
            self.fail(
                f"its docstring states a factor without a source: {text[:80]!r}",
                "Say first what it computes and where that is from, as 'max(x, 0)² (So et al., 2021)'.",
            )
        if any(work.vector_flops != 0 for work in self._stated_gradients()) and "Backward" not in text:
            self.fail("its docstring says nothing of the gradients", "After the word 'Backward:', state their factors.")

    def test_saved_tensors_exist(self) -> None:
        """What the backward pass keeps is an operand, an output or a tensor with dimensions; each has its reason."""
        operator = self.thing()
        names = {term.name for term in operator.signature.inputs}
        for item in operator.saves:
            if len(item.why.split()) < 3:
                self.fail(f"it saves {item.name!r} because {item.why!r}", "Give a reason that `explain` can print.")
            strange = {*item.needed_for.split()} - names
            if strange:
                self.fail(
                    f"{item.name!r} is needed for {', '.join(strange)}, which is no operand",
                    f"needed_for names operands: {', '.join(sorted(names))}.",
                )
            if item.if_attribute and item.if_attribute not in operator.attributes:
                self.fail(
                    f"{item.name!r} is saved if {item.if_attribute!r}, which is no attribute",
                    f"if_attribute names one of: {', '.join(operator.attributes) or 'it has none'}.",
                )
        for row, specs, attributes in self._operands():
            try:
                found = saved_tensors(operator, specs, attributes)
            except GraphacctError as error:
                self.fail(f"what it saves for {row} cannot be found: {error}", "Mend dims= of that Saved(…).")
            if found and not worlds.floating(specs):
                self.fail(f"it saves {found[0].name!r} for {row}, which has no gradient", "Leave saves= out.")

    def test_gradients_are_consistent(self) -> None:
        """Each floating-point operand's gradient is stated; those of a product are as many
        multiply-adds as it; none falls."""
        operator = self.thing()
        for row, specs, attributes in self._operands():
            for place in worlds.floating(specs):
                name = worlds.operand(operator, place)
                excused = name in self.without_gradient or "*" in self.without_gradient
                work = worlds.gradient_of(operator, specs, attributes, place)
                if work is None and not excused:
                    integers = (
                        f" If it holds integers, write TensorSpec({tuple(specs[place].shape)}, 'int64') into the row."
                    )
                    self.fail(
                        f"the gradient of {name} is not stated",
                        f"Add gradients={{{name!r}: …}}, or say why it has none: without_gradient = {{{name!r}: '…'}}."
                        + (integers if len(specs) > 1 else ""),
                    )
                product = operator.apply(specs, attributes).cost.matmul_flops
                if work is not None and name in operator.contracts and work.matmul_flops != product:
                    self.fail(
                        f"the gradient of {name} for {row} has {work.matmul_flops} FLOPs of products, and the product "
                        f"itself has {product}",
                        "Each gradient of a product is one of as many multiply-adds; leave it out of gradients= and it "
                        "is counted so.",
                    )
                if work is not None and name in self.without_gradient:
                    self.fail(f"the gradient of {name} is stated", f"Take {name!r} out of without_gradient.")
            size = sized(row, operator)
            before = worlds.figures(operator, *size.at({}))
            after = worlds.figures(operator, *size.at({name: 2 * n for name, n in size.sizes.items()}))
            for name, value in before.items():
                if "gradient" in name and not self.may_fall and after.get(name, value) < value:
                    self.fail(f"{name} falls when all sizes of {row} are doubled", "Mend the gradient's function.")

    def test_it_costs_what_the_framework_does(self) -> None:
        """Where a plugin can run the framework's own function without data: the same outputs, products, saved bytes."""
        operator = self.thing()
        reference = inspect.getattr_static(type(self), "reference")  # a function in a class is no method of it here
        reference = reference.__func__ if isinstance(reference, staticmethod) else reference
        if reference is None:
            return
        for row, specs, attributes in self._operands():
            theirs = measured(reference, specs, attributes, self.in_use())
            if theirs is None:
                raise SkipTest(
                    "no installed plugin knows the reference: install graphacct-torch, and import the framework in the "
                    "function, or give its path: 'torch.nn.functional.softplus'"
                )
            for what, (ours, other) in theirs.compared(operator, specs, attributes).items():
                if ours != other:
                    self.fail(
                        f"{what} for {row}: {ours} here, {other} in {getattr(reference, '__name__', reference)}",
                        "Find out which is right; name another reference if this is not the same function.",
                    )

    def _sized(self) -> Iterator[tuple[Row, Sized]]:
        for row, _, _ in self._operands():
            size = sized(row, self.thing())
            if size.sizes:
                yield row, size

    def _stated_gradients(self) -> Iterator[Any]:
        for _, specs, attributes in self._operands():
            for _, work in worlds.gradients(self.thing(), specs, attributes):
                yield work
