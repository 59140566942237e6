"""Distances between all pairs of two sets of vectors."""

from typing import Any

from graphacct import OperatorError, Saved, TensorSpec, Work, exact_div, operator
from graphacct_operators.norms import norm_gradient, norm_work


def _check(p: Any) -> float:
    if isinstance(p, bool) or not isinstance(p, (int, float)) or p <= 0:
        raise OperatorError(f"p must be a number greater than 0, not {p!r}")
    return float(p)


def _factors(p: Any) -> tuple[int, int, int, int]:
    """Returns per difference and per pair: FLOPs and transcendentals."""
    power = _check(p)
    if power == 2:
        return 3, 0, 1, 1
    if power == 1 or power == float("inf"):
        return 3, 0, 0, 0
    return 4, 1, 1, 1


def _back(batch: Any, m: Any, n: Any, d: Any, *, p: Any = 2.0) -> Work:
    power = _check(p)
    pairs = batch * m * n
    if power in (1.0, float("inf")):
        return Work(vector_flops=4 * pairs * d)
    if power == 2:
        return Work(vector_flops=4 * pairs * d)
    return Work(vector_flops=8 * pairs * d, transcendentals=2 * pairs * d)


@operator(
    "x: ... m d, y: ... n d -> ... m n",
    saves=(
        Saved("x", "the gradient is along the differences"),
        Saved("y", "the gradient is along the differences"),
        Saved("out", "the gradient is divided by the distance"),
    ),
    gradients={"x": _back, "y": _back},
)
def cdist(batch: Any, m: Any, n: Any, d: Any, *, p: Any = 2.0) -> Work:
    """The p-norm of each difference between a vector of x and one of y (torch.cdist, computed directly).

    p 2: 3 per difference (subtract, square, the sum) and a root per pair. p 1 or infinity: 3 per difference (subtract,
    absolute value, the sum or comparison). Any other: 4 per difference, one of them a power, and a power per pair.
    torch computes p 2 of more than 25 vectors as a product: write that as such.

    Backward, for each of x and y: the difference, times g, divided by the distance, summed: 4 per difference; for p 1
    and infinity its sign in place of the quotient; for any other p 8 per difference, two of them powers.
    """
    each, special, per_pair, special_per_pair = _factors(p)
    pairs = batch * m * n
    return Work(vector_flops=(each * d + per_pair) * pairs, transcendentals=(special * d + special_per_pair) * pairs)


def _own(part: TensorSpec, pairs: Any, d: Any, shared: bool) -> Work:
    """Returns the work of one side's gradient, with the quotients of all pairs if they are not there yet."""
    return Work(2 * pairs * d, (4 if shared else 1) * pairs + 2 * part.elements)


def _euclidean_x(batch: Any, m: Any, n: Any, d: Any, x: TensorSpec) -> Work:
    return _own(x, batch * m * n, d, True)


def _euclidean_y(wanted: tuple[bool, ...], batch: Any, m: Any, n: Any, d: Any, y: TensorSpec) -> Work:
    return _own(y, batch * m * n, d, not wanted[0])


@operator(
    "x: ... m d, y: ... n d -> ... m n",
    saves=(
        Saved("x", "the gradient is along the differences"),
        Saved("y", "the gradient is along the differences"),
        Saved("out", "the gradient is divided by the distance"),
    ),
    gradients={"x": _euclidean_x, "y": _euclidean_y},
)
def euclidean_distance(batch: Any, m: Any, n: Any, d: Any, x: TensorSpec, y: TensorSpec) -> Work:
    """|x|² - 2 x y + |y|², and its root: the distance of all pairs as one product, as torch.cdist computes it for more
    than 25 vectors.

    2 FLOPs per multiply-add of vectors of d + 2, which hold the squares' sums too; 2 per element of x and y for those,
    1 per element of x for -2, and 2 per pair: at least 0, and the root, which is transcendental.

    Backward: g divided by the distance, but where that is 0 (3 per pair, once for both); for x a product with y, 2 m n
    d FLOPs, less x times the sum of its pairs (1 per pair, 2 per element); for y the same the other way.
    """
    pairs = batch * m * n
    flops = 3 * x.elements + 2 * y.elements + 2 * pairs
    return Work(2 * pairs * (d + 2), flops, pairs)


def _one_distance(x: TensorSpec, *, p: Any = 2.0) -> Work:
    return Work(vector_flops=x.elements).plus(norm_gradient(x.elements, 1, p))


def _other_distance(y: TensorSpec, *, p: Any = 2.0) -> Work:
    return Work(vector_flops=2 * y.elements).plus(norm_gradient(y.elements, 1, p))


@operator(
    "x: *shape, y: *shape ->",
    infer=lambda x, y, *, p=2.0: TensorSpec((), x.dtype),
    saves=(
        Saved("x", "the gradient is along the difference"),
        Saved("y", "the gradient is along the difference"),
        Saved("out", "the gradient is divided by the distance"),
    ),
    gradients={"x": _one_distance, "y": _other_distance},
)
def dist(x: TensorSpec, *, p: Any = 2.0) -> Work:
    """The norm of order p of x - y (torch.dist). 1 per element to subtract, and the norm as vector_norm.

    Backward: for each the difference again, 1 per element, and the norm's gradient; 1 more for y, which is negated.
    """
    return Work(vector_flops=x.elements).plus(norm_work(x.elements, 1, p))


def _pairs(n: Any) -> Any:
    return exact_div(n * (n - 1), 2)


def _of_pairs(n: Any, d: Any, *, p: Any = 2.0) -> Work:
    return _back(_pairs(n), 1, 1, d, p=p).plus(Work(vector_flops=_pairs(n) * d))


@operator(
    "x: n d -> pairs",
    infer=lambda x, n, *, p=2.0: TensorSpec((_pairs(n),), x.dtype),
    saves=(
        Saved("x", "the gradient is along the differences"),
        Saved("out", "the gradient is divided by the distance"),
    ),
    gradients={"x": _of_pairs},
)
def pdist(n: Any, d: Any, *, p: Any = 2.0) -> Work:
    """The p-norm of the difference between each two of n vectors, n (n - 1) / 2 of them (torch.nn.functional.pdist).

    As cdist: p 2: 3 per difference (subtract, square, the sum) and a root per pair; p 1 or infinity 3 per difference;
    any other 4 per difference, one of them a power, and a power per pair.

    Backward: as cdist for one side, and 1 per difference, which is taken from the other vector's gradient.
    """
    each, special, per_pair, special_per_pair = _factors(p)
    pairs = _pairs(n)
    return Work(vector_flops=(each * d + per_pair) * pairs, transcendentals=(special * d + special_per_pair) * pairs)
