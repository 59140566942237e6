"""What an operator must refuse: the part of its contract that is about operands that do not fit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from graphacct.errors import GraphacctError, ShapeError, failure
from graphacct.operators.operator import Operator
from graphacct.tensors import TensorSpec
from graphacct.testing import worlds
from graphacct.testing.contract import Contract
from graphacct.testing.rows import Row, sized

PRIME = 1009
"""What a wrong size is more than the right one: no other size in a row."""


class RefusalTests(Contract):
    """The tests of wrong operands; `OperatorContract` explains the attributes."""

    kind = "operators"
    noun = "operator"
    rows: ClassVar[Sequence[Row]] = ()
    wrong: ClassVar[Sequence[Sequence[Any]]] = ()
    may_differ: ClassVar[Mapping[str, str]] = {}

    def test_wrong_shapes_raise_an_error_that_names_the_dimension(self) -> None:
        """A size that two operands share, changed in one of them, raises ShapeError, which names the dimension or says
        the size; so do a missing dimension and no operands at all."""
        operator = self.thing()
        for _, specs, attributes in self._operands():
            if operator.signature.required:
                self._refuses((), attributes, "no operands", "")
            for place, spec in enumerate(specs):
                term = worlds.operand(operator, place)
                for axis, name in enumerate(dims(operator, place, spec)):
                    wrong = spec.shape[axis] + PRIME
                    given = _with(specs, place, (*spec.shape[:axis], wrong, *spec.shape[axis + 1 :]))
                    if self._shared(specs, place, axis, name):
                        self._refuses(
                            given, attributes, f"{term} with {name or 'a dimension'} of {wrong}", name or wrong
                        )
                    else:
                        self._bears(given, attributes)
                if (
                    spec.shape
                    and not operator.signature.inputs[min(place, len(operator.signature.inputs) - 1)].ellipsis
                ):
                    given = _with(specs, place, spec.shape[1:])
                    self._refuses(given, attributes, f"{term} without its first dimension", term)
        for shapes in self.wrong:
            given = [shape if isinstance(shape, TensorSpec) else TensorSpec(tuple(shape)) for shape in shapes]
            attributes = dict(self.rows[0].attributes) if self.rows else {}
            self._refuses(given, attributes, f"the wrong operands {[tuple(spec.shape) for spec in given]}", "")

    def _shared(self, specs: Sequence[TensorSpec], place: int, axis: int, name: str) -> bool:
        """Returns whether a dimension is another operand's too: by the signature's name for it, or, for one of `...` or
        `*name`, by its number in the row."""
        operator, size = self.thing(), specs[place].shape[axis]
        others = [(worlds.operand(operator, i), dims(operator, i, s), s) for i, s in enumerate(specs) if i != place]
        if name:
            return any(name in names for _, names, _ in others)
        if size == 1 or worlds.operand(operator, place) in self.may_differ:
            return False
        return any(size in spec.shape for term, _, spec in others if term not in self.may_differ)

    def _operands(self) -> Iterator[tuple[Row, list[TensorSpec], dict[str, Any]]]:
        for row in self.rows:
            specs, attributes = sized(row, self.thing()).at({})
            try:
                self.thing().apply(specs, attributes)
            except GraphacctError as error:
                self.fail(f"{row} does not fit: {error}", "Mend the row, or the operator.")
            except Exception as error:
                self.fail(failure(str(row), error), "Mend the formula, or infer=.")
            yield row, specs, attributes

    def _refuses(self, specs: Sequence[TensorSpec], attributes: Mapping[str, Any], what: str, named: Any) -> None:
        try:
            self.thing().apply(specs, attributes)
        except GraphacctError as error:
            if not named:
                return
            if not isinstance(error, ShapeError):
                self.fail(f"{what} raises {type(error).__name__}: {error}", f"Raise ShapeError, which names {named}.")
            if not re.search(rf"\b{re.escape(str(named))}\b", str(error)):
                self.fail(f"of {what} it says {str(error)!r}", f"The error must name the dimension {named}.")
        except Exception as error:
            self.fail(f"{what} raises {type(error).__name__}: {error}", "Raise ShapeError with the dimension's name.")
        else:
            way_out = "Equal dimensions have equal names in the signature, or infer= raises ShapeError"
            excuse = f"; if any size fits, say why: may_differ = {{{what.partition(' ')[0]!r}: '…'}}" if named else ""
            self.fail(f"it takes {what}", f"{way_out}{excuse}.")

    def _bears(self, specs: Sequence[TensorSpec], attributes: Mapping[str, Any]) -> None:
        """A dimension of no other operand may have any size, or be refused by an error of graphacct's."""
        try:
            self.thing().apply(specs, attributes)
        except GraphacctError:
            return
        except Exception as error:
            shapes = [tuple(spec.shape) for spec in specs]
            self.fail(
                f"operands {shapes} raise {type(error).__name__}: {error}",
                "Raise ShapeError with the dimension's name, as graphacct.exact_div and check_dim do.",
            )


def dims(operator: Operator, place: int, spec: TensorSpec) -> list[str]:
    """Returns the name that the signature gives each dimension of an operand; empty for one of `...` or `*name`."""
    term = operator.signature.inputs[min(place, len(operator.signature.inputs) - 1)]
    loose = len(spec.shape) - len(term.front) - len(term.back)
    return [*term.front, *[""] * loose, *term.back]


def _with(specs: Sequence[TensorSpec], place: int, shape: tuple[Any, ...]) -> list[TensorSpec]:
    """Returns the operands with another shape for one of them."""
    return [*specs[:place], TensorSpec(shape, specs[place].dtype), *specs[place + 1 :]]
