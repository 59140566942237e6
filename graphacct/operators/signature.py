"""The signature language: an operator's operands and outputs, in the notation of einsum.

    x: ... k, weight: n k, bias?: n -> ... n

Operands are separated by commas, dimensions by blanks. A dimension is a name (equal names are equal sizes) or
`...`, which stands for any leading or inner dimensions and broadcasts between operands as in numpy. An operand may
have a name (`x:`); `name?:` may be left out, and `name*:` is any number of operands. A dimension that only the outputs
have is taken from the operator's attribute of that name. An empty right side is a scalar.

`*name` stands for any number of dimensions as `...` does, but has a name of its own and broadcasts with nothing: a
convolution is `x: b c *space, weight: o i *kernel`. A formula that asks for `space` gets the tuple of sizes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import attrs

from graphacct.dims import Dim, differ, has_value, maximum, same, shape_text
from graphacct.errors import ShapeError, SignatureError
from graphacct.tensors import TensorSpec

ELLIPSIS = "..."
DEFAULT_NAMES = "xyzw"


@attrs.frozen(eq=False, repr=False)
class Term:
    """One operand or output of a signature.

    Attributes:
        name: What messages, formulas and `saves` call it.
        front: The dimensions before the ellipsis, or all of them when there is none.
        back: The dimensions after the ellipsis.
        ellipsis: Whether there is one, or the name in `*name`, an ellipsis of its own.
        optional: Whether the operand may be left out.
        variadic: Whether it stands for any number of operands.
    """

    name: str
    front: tuple[str, ...]
    back: tuple[str, ...] = ()
    ellipsis: bool | str = False
    optional: bool = False
    variadic: bool = False

    def __repr__(self) -> str:
        return f"<Term {self}>"

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it binds, in order."""
        own = (self.ellipsis,) if isinstance(self.ellipsis, str) else ()
        return (*self.front, *own, *self.back)

    def __str__(self) -> str:
        middle = f"*{self.ellipsis}" if isinstance(self.ellipsis, str) else ELLIPSIS
        dims = [*self.front, *([middle] if self.ellipsis else []), *self.back]
        return f"{self.name}{'?' if self.optional else ''}{'*' if self.variadic else ''}: {' '.join(dims)}"


@attrs.frozen(eq=False, repr=False)
class Signature:
    """A parsed signature; make one with `parse`.

    Attributes:
        sources: What a formula may ask for by name: each name, whether it is a `dim`, the `batch`, an `operand`, the
            `rest` of the operands or an `output`, and which of them.
    """

    text: str
    inputs: tuple[Term, ...]
    outputs: tuple[Term, ...]
    required: int
    variadic: bool
    sources: dict[str, tuple[str, str, int]] = attrs.field(init=False)
    _plan: tuple[Any, ...] = attrs.field(init=False)
    _results: tuple[Any, ...] = attrs.field(init=False)

    def __repr__(self) -> str:
        return f"<Signature {self.text}>"

    def __attrs_post_init__(self) -> None:
        plan = [(t.front, t.back, t.ellipsis, len(t.front) + len(t.back), t) for t in self.inputs if not t.variadic]
        object.__setattr__(self, "sources", self._sources())
        object.__setattr__(self, "_plan", tuple(plan))
        object.__setattr__(self, "_results", tuple((t.front, t.back, t.ellipsis) for t in self.outputs))

    def bind(self, specs: Sequence[TensorSpec]) -> tuple[dict[str, Dim], tuple[Dim, ...]]:
        """Returns the sizes of the names for operands of these specs, and the dimensions of `...`.

        Raises ShapeError, which names the dimension and both sizes, when the operands do not fit.
        """
        count = len(specs)
        if count != self.required and (count < self.required or (count > len(self.inputs) and not self.variadic)):
            raise ShapeError(f"takes {self._arity()} operands, not {count}: {self.text!r}")
        dims: dict[str, Dim] = {}
        batch: tuple[Dim, ...] | None = None
        for spec, (front, back, ellipsis, fixed, term) in zip(specs, self._plan):  # noqa: B905  some may be missing
            shape = spec.shape
            rank = len(shape)
            if rank != fixed and (rank < fixed or not ellipsis):
                raise self._mismatch(f"{term.name} has {rank} dimensions", specs)
            for name, size in zip(front, shape):  # noqa: B905  the shape is longer
                known = dims.setdefault(name, size)
                if known is not size:
                    self._check(name, size, dims, term, specs)
            if ellipsis:
                stop = rank - len(back)
                lead = shape[len(front) : stop]
                if ellipsis is not True:
                    self._bind_all(ellipsis, lead, dims, term, specs)
                elif batch is None or _equal(batch, lead):
                    batch = lead
                else:
                    batch = self._broadcast(batch, lead, term, specs)
                for name, size in zip(back, shape[stop:]):  # noqa: B905  of equal length by construction
                    known = dims.setdefault(name, size)
                    if known is not size:
                        self._check(name, size, dims, term, specs)
        return dims, batch or ()

    def shapes(self, dims: Mapping[str, Any], batch: tuple[Dim, ...]) -> list[tuple[Dim, ...]]:
        """Returns the outputs' shapes; KeyError names a dimension that nothing gives."""
        return [
            (
                *[dims[dim] for dim in front],
                *(batch if ellipsis is True else dims[ellipsis]),
                *[dims[dim] for dim in back],
            )
            if ellipsis
            else tuple([dims[dim] for dim in front])
            for front, back, ellipsis in self._results
        ]

    def unbound(self) -> tuple[str, ...]:
        """Returns the output dimensions that no operand has: attributes must give them."""
        given = {dim for term in self.inputs for dim in term.names}
        return tuple(dict.fromkeys(dim for term in self.outputs for dim in term.names if dim not in given))

    def _sources(self) -> dict[str, tuple[str, str, int]]:
        known: dict[str, tuple[str, str, int]] = {"batch": ("batch", "batch", 0)}
        for index, term in enumerate(self.outputs):
            known[term.name] = (term.name, "output", index)
        for index, term in enumerate(self.inputs):
            known[term.name] = (term.name, "rest" if term.variadic else "operand", index)
        for term in (*self.inputs, *self.outputs):
            known.update((dim, (dim, "dim", 0)) for dim in term.names)
        return known

    def _arity(self) -> str:
        most = "or more" if self.variadic else f"to {len(self.inputs)}"
        return str(self.required) if self.required == len(self.inputs) else f"{self.required} {most}"

    def _check(self, name: str, size: Dim, dims: dict[str, Dim], term: Term, specs: Sequence[TensorSpec]) -> None:
        expected = dims[name]
        if differ(expected, size):
            where = next((t.name for t in self.inputs if name in t.front or name in t.back), term.name)
            raise self._mismatch(f"dimension {name} is {expected} in {where} but {size} in {term.name}", specs)

    def _bind_all(
        self, name: str, sizes: tuple[Dim, ...], dims: dict[str, Any], term: Term, specs: Sequence[TensorSpec]
    ) -> None:
        """Binds the dimensions that `*name` stands for, all of them or none."""
        known = dims.setdefault(name, sizes)
        if known is not sizes and (len(known) != len(sizes) or any(map(differ, known, sizes))):
            where = next((t.name for t in self.inputs if t.ellipsis == name), term.name)
            ours, theirs = shape_text(known), shape_text(sizes)
            raise self._mismatch(f"dimensions {name} are {ours} in {where} but {theirs} in {term.name}", specs)

    def _broadcast(
        self, a: tuple[Dim, ...], b: tuple[Dim, ...], term: Term, specs: Sequence[TensorSpec]
    ) -> tuple[Dim, ...]:
        rank = max(len(a), len(b))
        result = []
        for x, y in zip((1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b, strict=True):
            if has_value(x) and x == 1:
                result.append(y)
            elif (has_value(y) and y == 1) or same(x, y):
                result.append(x)
            elif differ(x, y):
                raise self._mismatch(
                    f"{shape_text(b)} of {term.name} does not broadcast with {shape_text(a)} ({x} against {y})", specs
                )
            else:
                result.append(x if type(y) is int else y if type(x) is int else maximum(x, y))
        return tuple(result)

    def _mismatch(self, problem: str, specs: Sequence[TensorSpec]) -> ShapeError:
        operands = ", ".join(f"{t.name}{shape_text(s.shape)}" for t, s in zip(self.inputs, specs, strict=False))
        return ShapeError(f"{problem}: {operands} against {self.text!r}")


def _equal(a: tuple[Dim, ...], b: tuple[Dim, ...]) -> bool:
    try:
        return a == b
    except ValueError:  # a sweep: arrays have no single truth, and broadcasting looks at them one by one
        return False


@cache
def parse(text: str) -> Signature:
    """Returns the signature that `text` writes; SignatureError says what in it cannot be read."""
    if text.count("->") != 1:
        raise SignatureError(f"signature {text!r} needs exactly one '->' between operands and outputs")
    left, right = text.split("->")
    inputs = _terms(left, text, [DEFAULT_NAMES[i] if i < 4 else f"x{i}" for i in range(left.count(",") + 1)])
    count = right.count(",") + 1
    outputs = _terms(right, text, ["out"] if count == 1 else [f"out{i}" for i in range(count)]) or (Term("out", ()),)
    names = [term.name for term in (*inputs, *outputs)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise SignatureError(f"signature {text!r} uses the name {twice!r} twice")
    loose = [term.optional or term.variadic for term in inputs]
    if loose != sorted(loose) or any(term.variadic for term in inputs[:-1]):
        raise SignatureError(f"signature {text!r}: optional operands stand last, and at most one takes any number")
    required = sum(not term.optional and not term.variadic for term in inputs)
    return Signature(text, inputs, outputs, required, any(term.variadic for term in inputs))


def _terms(text: str, whole: str, names: list[str]) -> tuple[Term, ...]:
    if not text.strip():
        return ()
    return tuple(_term(part, whole, name) for part, name in zip(text.split(","), names, strict=True))


def _term(text: str, whole: str, default: str) -> Term:
    head, colon, dims = text.strip().partition(":") if ":" in text else ("", "", text)
    head = head.rstrip()
    mark = head[-1:] if head.endswith(("?", "*")) else ""
    name = head.removesuffix(mark)
    if colon and not name.isidentifier():
        raise SignatureError(f"signature {whole!r}: {name!r} is no name of an operand")
    words = dims.split()
    for word in words:
        if word != ELLIPSIS and not word.removeprefix("*").isidentifier():
            raise SignatureError(f"signature {whole!r}: {word!r} is neither a name nor '...' nor '*name'")
    loose = [index for index, word in enumerate(words) if word[0] in "*."]
    if len(loose) > 1:
        raise SignatureError(f"signature {whole!r}: {text.strip()!r} has more than one '...' or '*name'")
    cut = loose[0] if loose else len(words)
    return Term(
        name or default,
        tuple(words[:cut]),
        tuple(words[cut + 1 :]),
        bool(loose) and (words[cut] == ELLIPSIS or words[cut][1:]),
        mark == "?",
        mark == "*",
    )
