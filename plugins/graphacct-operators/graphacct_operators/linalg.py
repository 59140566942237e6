"""Linear algebra of square matrices: triangular and general systems, inverses, Cholesky factors.

What is counted is what the textbook's algorithm does (LAPACK Working Note 41): multiply-adds, 2 each, in matmul_flops,
since they are those of the blocked products that LAPACK spends its time in; divisions and roots in vector_flops.
"""

from typing import Any

from graphacct import Saved, ShapeError, TensorSpec, Work, differ, exact_div, operator, prod

WHY_A = "the gradients solve with it again"
WHY_SOLUTION = "the gradient of a multiplies by the solution"


def substitution(n: Any, columns: Any, unit: bool) -> Work:
    """Returns the work of one triangular system: n (n - 1) / 2 multiply-adds a column, and n divisions."""
    return Work(n * (n - 1) * columns, 0 if unit else n * columns)


def factors(n: Any) -> Work:
    """Returns the work of an LU factorisation: the sum of k² multiply-adds for k below n, and as many divisions as
    there are elements below the diagonal."""
    return Work(2 * exact_div((n - 1) * n * (2 * n - 1), 6), exact_div(n * (n - 1), 2))


def times(work: Work, count: Any) -> Work:
    """Returns the work so many times."""
    return Work().plus(work, count)


def _like_b(a: TensorSpec, b: TensorSpec, n: Any, *, left: bool = True) -> tuple[Any, ...]:
    if len(b.shape) != len(a.shape):
        raise ShapeError(f"a has {len(a.shape)} dimensions but b has {len(b.shape)}: write the columns as a matrix")
    side = b.shape[-2 if left else -1]
    if differ(side, n) or any(map(differ, a.shape[:-2], b.shape[:-2])):
        raise ShapeError(f"b {list(b.shape)} does not fit the {n} unknowns of a {list(a.shape)}")
    return b.shape


def _columns(b: TensorSpec, left: bool) -> Any:
    """Returns the right-hand sides of one system."""
    return b.shape[-1 if left else -2]


def _triangular_b(a: TensorSpec, b: TensorSpec, n: Any, *, left: bool = True, unitriangular: bool = False) -> Work:
    return times(substitution(n, _columns(b, left), unitriangular), prod(a.shape[:-2]))


def _triangular_a(
    wanted: tuple[bool, ...], a: TensorSpec, b: TensorSpec, n: Any, *, left: bool = True, unitriangular: bool = False
) -> Work:
    work = Work(2 * n * n * _columns(b, left), n * n)
    if not wanted[1]:
        work = work.plus(substitution(n, _columns(b, left), unitriangular))
    return times(work, prod(a.shape[:-2]))


@operator(
    "a: *batches n n, b: *right -> *right",
    infer=_like_b,
    saves=(Saved("a", WHY_A), Saved("out", WHY_SOLUTION)),
    gradients={"a": _triangular_a, "b": _triangular_b},
)
def solve_triangular(
    a: TensorSpec, b: TensorSpec, n: Any, *, upper: bool = False, left: bool = True, unitriangular: bool = False
) -> Work:
    """The solution of a x = b, a triangular, by substitution; of x a = b if not `left`.

    n (n - 1) / 2 multiply-adds for each column of b, 2 FLOPs each, and 1 per element for the divisions, none if
    `unitriangular`: n² a column in all (LAPACK Working Note 41, xTRSM).

    Backward: the same again for b, with a transposed. For a the product of that and the solution, 2 n² a column, and n²
    to negate it; the solution for b too if b itself has no gradient.
    """
    return _triangular_b(a, b, n, left=left, unitriangular=unitriangular)


def two_systems(n: Any, columns: Any) -> Work:
    """Returns the work of a system whose LU factors are there."""
    return substitution(n, columns, True).plus(substitution(n, columns, False))


def _solve_a(wanted: tuple[bool, ...], a: TensorSpec, b: TensorSpec, n: Any, *, left: bool = True) -> Work:
    work = Work(2 * n * n * _columns(b, left), n * n)
    if not wanted[1]:
        work = work.plus(two_systems(n, _columns(b, left)))
    return times(work, prod(a.shape[:-2]))


def _solve_b(a: TensorSpec, b: TensorSpec, n: Any, *, left: bool = True) -> Work:
    return times(two_systems(n, _columns(b, left)), prod(a.shape[:-2]))


@operator(
    "a: *batches n n, b: *right -> *right",
    infer=_like_b,
    saves=(
        Saved("a", "torch refers to it beside its factors"),
        Saved("factors", "the gradients solve with them again", "*batches n n"),
        Saved("pivots", "the order of the factors' rows", "*batches n", "int32"),
        Saved("out", WHY_SOLUTION),
    ),
    gradients={"a": _solve_a, "b": _solve_b},
)
def solve(a: TensorSpec, b: TensorSpec, n: Any, *, left: bool = True) -> Work:
    """The solution of a x = b, or of x a = b if not `left`: an LU factorisation with pivots, then two triangular
    systems.

    Multiply-adds, 2 FLOPs each: n (n - 1) (2 n - 1) / 6 for the factors and n (n - 1) a column; divisions, 1 per
    element: n (n - 1) / 2 and n a column (LAPACK Working Note 41, xGETRF and xGETRS).

    Backward: both triangular systems again for b. For a the product of that and the solution, 2 n² a column, and n² to
    negate it; the systems too if b itself has no gradient.
    """
    return times(factors(n).plus(two_systems(n, _columns(b, left))), prod(a.shape[:-2]))


def _with_info(x: TensorSpec, *, info: bool = False) -> list[TensorSpec]:
    made = TensorSpec(x.shape, x.dtype)
    return [made, TensorSpec(x.shape[:-2], "int32")] if info else [made]


@operator(
    "x: *batches n n -> out: *batches n n, info: *batches",
    infer=_with_info,
    saves={"out": "the gradient is -outᵀ g outᵀ"},
    gradients={"x": lambda x, n: times(Work(4 * n**3, n * n), prod(x.shape[:-2]))},
)
def inv(x: TensorSpec, n: Any, *, info: bool = False) -> Work:
    """The inverse: the solution for each column of the identity, as torch computes it; with `info` whether there is
    one.

    As solve with n columns: n (n - 1) (2 n - 1) / 6 + n² (n - 1) multiply-adds, 2 FLOPs each, and n (n - 1) / 2 + n²
    divisions, 1 per element.

    Backward: two products, 2 n³ each, and n² to negate.
    """
    return times(factors(n).plus(two_systems(n, n)), prod(x.shape[:-2]))


@operator(
    "x: *batches n n -> out: *batches n n, info: *batches",
    infer=_with_info,
    saves={"out": "the gradient solves with it twice"},
    gradients={
        "x": lambda x, n: times(Work(2 * n**3, 2 * n * n).plus(substitution(n, n, False), 2), prod(x.shape[:-2]))
    },
)
def cholesky(x: TensorSpec, n: Any, *, info: bool = False) -> Work:
    """The lower triangular L with L Lᵀ = x; with `info` whether there is one.

    (n³ - n) / 6 multiply-adds, 2 FLOPs each; 1 per element below the diagonal for the divisions, and n roots (LAPACK
    Working Note 41, xPOTRF).

    Backward: the product Lᵀ g, 2 n³; 2 n² to make a half of it symmetric; and two triangular systems of n columns.
    """
    count = prod(x.shape[:-2])
    return Work(2 * exact_div(n**3 - n, 6) * count, (exact_div(n * (n - 1), 2) + n) * count, n * count)
