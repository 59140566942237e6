"""einsum: any number of operands, contracted two at a time."""

from collections.abc import Sequence
from string import ascii_letters
from typing import Any, NamedTuple

from graphacct import Saved, ShapeError, TensorSpec, Work, has_value, operator, prod

KIND = "'b h s d, b h t d -> b h s t'"


class Side(NamedTuple):
    """One of two factors: which operands are in it, and its labels."""

    members: frozenset[int]
    labels: tuple[str, ...]


class Step(NamedTuple):
    """A product of two factors. It contracts if a label of theirs is not in the result."""

    sides: tuple[Side, Side]
    result: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.sides[0].labels, *self.sides[1].labels)))

    @property
    def contracts(self) -> bool:
        return len(self.labels) > len(self.result)


def written_out(equation: str, specs: Sequence[TensorSpec]) -> str:
    """Returns the equation with a label for each dimension that `...` stands for, the last dimensions aligned."""
    if "..." not in equation:
        return equation
    left, arrow, right = equation.partition("->")
    terms = [_tokens(term) for term in (*left.split(","), right)]
    if len(terms) - 1 != len(specs) or not arrow:
        raise ShapeError(f"equation {equation!r} has {len(terms) - 1} operands, not {len(specs)}")
    loose = []
    for tokens, spec in zip(terms, specs, strict=False):
        loose.append(len(spec.shape) - len(tokens) + 1 if "..." in tokens else 0)
        if loose[-1] < 0:
            raise ShapeError(f"an operand of {equation!r} has {len(spec.shape)} dimensions, fewer than it names")
    used = {token for tokens in terms for token in tokens}
    free = [letter for letter in ascii_letters if letter not in used][: max(loose)]
    sides = []
    for tokens, count in zip(terms, [*loose, max(loose)], strict=True):
        own = free[len(free) - count :]
        sides.append(" ".join(label for token in tokens for label in (own if token == "..." else (token,))))
    return f"{', '.join(sides[:-1])} -> {sides[-1]}"


def _tokens(term: str) -> list[str]:
    term = term.strip()
    if " " in term or "..." not in term:
        return term.split() if " " in term else [*term]
    before, _, after = term.partition("...")
    return [*before, "...", *after]


def labels_of(equation: str) -> tuple[list[list[str]], list[str]]:
    """Returns the labels of each operand and of the output: words, or single letters if no term has blanks in it.

    Raises ShapeError for an equation that is not of the kind that einsum here computes.
    """
    left, arrow, right = equation.partition("->")
    sides = [part.strip() for part in (*left.split(","), right)]
    if not arrow or "->" in right or len(sides) < 3 or "." in equation:
        raise ShapeError(f"equation {equation!r} is not of the kind {KIND}")
    words = any(" " in side for side in sides)
    *operands, result = ([*side.split()] if words else [*side] for side in sides)
    for side in (*operands, result):
        if len(set(side)) < len(side):
            raise ShapeError(f"equation {equation!r} has a label twice in one term; take the diagonal first")
    for label in result:
        if not any(label in side for side in operands):
            raise ShapeError(f"equation {equation!r}: no operand has the output's label {label!r}")
    for label in dict.fromkeys(label for side in operands for label in side):
        if label not in result and sum(label in side for side in operands) == 1:
            raise ShapeError(f"equation {equation!r}: only one operand has {label!r}; sum over it first")
    return operands, result


def sizes_of(specs: Sequence[TensorSpec], equation: str) -> dict[str, Any]:
    """Returns the size of each label. Raises ShapeError if the operands do not fit the equation."""
    operands, _ = labels_of(equation)
    if len(operands) != len(specs):
        raise ShapeError(f"equation {equation!r} has {len(operands)} operands, not {len(specs)}")
    sizes: dict[str, Any] = {}
    where: dict[str, str] = {}
    for place, (labels, spec) in enumerate(zip(operands, specs, strict=True)):
        name = "xy"[place] if place < 2 else f"operand {place}"
        if len(labels) != len(spec.shape):
            raise ShapeError(f"{name} has {len(spec.shape)} dimensions, {equation!r} names {len(labels)}")
        for label, size in zip(labels, spec.shape, strict=True):
            known = sizes.setdefault(label, size)
            first = where.setdefault(label, name)
            if has_value(known) and has_value(size) and known != size:
                raise ShapeError(f"dimension {label} is {known} in {first} but {size} in {name}: {equation!r}")
    return sizes


def steps_of(equation: str, path: Sequence[Sequence[int]] = ()) -> list[Step]:
    """Returns the products of two that compute the equation, in order.

    Without a path the first two operands are multiplied, and what comes out with each of the others in turn. A path
    is opt_einsum's: each pair of places is multiplied and leaves the list, and the result goes to its end.
    """
    operands, result = labels_of(equation)
    waiting = [Side(frozenset((place,)), tuple(labels)) for place, labels in enumerate(operands)]
    pairs = [tuple(pair) for pair in path]
    if pairs and (len(pairs) != len(waiting) - 1 or any(len(pair) != 2 for pair in pairs)):
        raise ShapeError(f"path {[*map(list, path)]} is not {len(waiting) - 1} pairs, as {len(waiting)} operands need")
    found = []
    while len(waiting) > 1:
        first, second = pairs.pop(0) if pairs else (0, 1)
        if first == second or not {first, second} <= set(range(len(waiting))):
            raise ShapeError(
                f"path {[*map(list, path)]} has the pair {[first, second]}, with {len(waiting)} factors left"
            )
        sides = (waiting[first], waiting[second])
        rest = [side for place, side in enumerate(waiting) if place not in (first, second)]
        needed = {*result, *(label for side in rest for label in side.labels)}
        union = dict.fromkeys((*sides[0].labels, *sides[1].labels))
        kept = tuple(label for label in union if label in needed) if rest else tuple(result)
        found.append(Step(sides, kept))
        made = Side(sides[0].members | sides[1].members, kept)
        waiting = [*rest, made] if path else [made, *rest]
    return found


def _shape(
    x: TensorSpec, y: TensorSpec, others: tuple[TensorSpec, ...], *, equation: str, path: Sequence[Any] = ()
) -> tuple[Any, ...]:
    equation = written_out(equation, (x, y, *others))
    sizes = sizes_of((x, y, *others), equation)
    steps_of(equation, path)
    return tuple(sizes[label] for label in labels_of(equation)[1])


def _gradient(
    which: int,
    wanted: tuple[bool, ...],
    x: TensorSpec,
    y: TensorSpec,
    others: tuple[TensorSpec, ...],
    *,
    equation: str,
    path: Sequence[Any] = (),
) -> Work:
    """The gradient of one operand, back through the products that it is in; what an earlier operand's has made already
    is not counted again."""
    equation = written_out(equation, (x, y, *others))
    sizes = sizes_of((x, y, *others), equation)
    earlier = {place for place, want in enumerate(wanted) if want and place < which}
    work = Work()
    for step in steps_of(equation, path):
        for side in step.sides:
            if which in side.members and not side.members & earlier:
                work = work.plus(_back(step, side, sizes))
    return work


def _back(step: Step, side: Side, sizes: dict[str, Any]) -> Work:
    everything = prod(sizes[label] for label in step.labels)
    if step.contracts:
        return Work(matmul_flops=2 * everything)
    return Work(vector_flops=(1 + (len(side.labels) < len(step.labels))) * everything)


def _products(
    x: TensorSpec, y: TensorSpec, others: tuple[TensorSpec, ...], *, equation: str, path: Sequence[Any] = ()
) -> list[tuple[Any, ...]]:
    """Returns the shapes of all products but the last, which is the output."""
    equation = written_out(equation, (x, y, *others))
    sizes = sizes_of((x, y, *others), equation)
    return [tuple(sizes[label] for label in step.result) for step in steps_of(equation, path)[:-1]]


@operator(
    "x: *first, y: *second, others*: ... -> *result",
    infer=_shape,
    saves=(
        Saved("x", "the gradient of y contracts it with g", needed_for="y"),
        Saved("y", "the gradient of x contracts it with g", needed_for="x"),
        Saved("others", "the gradients of those before contract it with g", needed_for="x y"),
        Saved("products", "the gradients of those after contract them with g", _products, needed_for="others"),
    ),
    gradients={"x": _gradient, "y": _gradient, "others": _gradient},
)
def einsum(
    x: TensorSpec, y: TensorSpec, others: tuple[TensorSpec, ...], *, equation: str, path: Sequence[Any] = ()
) -> Work:
    """The contraction of two or more operands that the equation writes: "b h s d, b h t d -> b h s t", or in single
    letters; `...` stands for any dimensions, of the same sizes wherever it is.

    2 FLOPs per multiply-add, so 2 × the product of all labels, batch and contracted ones once. Where nothing is
    contracted it is an element-wise product, 1 per output element (torch runs it as one).

    More than two operands are multiplied two at a time, from left to right, as torch does without opt_einsum; a label
    is summed over as soon as no later operand has it. With opt_einsum installed torch chooses the order
    (torch.backends.opt_einsum). Here the same graph costs the same everywhere, so such an order is stated: `path` is
    what opt_einsum.contract_path returns, such as ((1, 2), (0, 1)).

    Backward: as many FLOPs again for each factor of each product; where nothing is contracted 1 per output element, and
    1 more to sum the gradient of a factor that lacks a label. A product that several wanted operands are in is counted
    with the first of them.
    """
    equation = written_out(equation, (x, y, *others))
    sizes = sizes_of((x, y, *others), equation)
    work = Work()
    for step in steps_of(equation, path):
        everything = prod(sizes[label] for label in step.labels)
        work = work.plus(Work(2 * everything) if step.contracts else Work(vector_flops=everything))
    return work
