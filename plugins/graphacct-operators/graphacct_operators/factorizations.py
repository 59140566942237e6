"""Factorisations of matrices and what follows from them: LU, QR, determinants, systems with factors that are there.

Multiply-adds are those of the textbook's algorithm, 2 FLOPs each, in matmul_flops, as in linalg.py (Golub and Van
Loan, Matrix Computations; LAPACK Working Note 41); divisions and roots are in vector_flops. The gradients are the
kernels that torch runs (torch 2.13).
"""

from typing import Any

from graphacct import (
    OperatorError,
    Saved,
    ShapeError,
    TensorSpec,
    Work,
    differ,
    exact_div,
    maximum,
    minimum,
    operator,
    prod,
)
from graphacct_operators.linalg import substitution, times, two_systems

FACTORS = Saved("factors", "the gradient solves with them", "*batches n n")
PIVOTS = Saved("pivots", "the order of the factors' rows", "*batches n", "int32")


def _staircase(a: Any, b: Any, count: Any) -> Any:
    """Returns the sum of (a - i) (b - i) for i from 1 to count."""
    return (
        count * a * b
        - (a + b) * exact_div(count * (count + 1), 2)
        + exact_div(count * (count + 1) * (2 * count + 1), 6)
    )


def _eliminated(m: Any, n: Any) -> Work:
    """Returns the work of an LU factorisation: each step subtracts multiples of a row from those below it."""
    steps = minimum(m, n)
    return Work(2 * _staircase(m, n, steps), steps * m - exact_div(steps * (steps + 1), 2))


def _lu_gradient(x: TensorSpec, m: Any, n: Any) -> Work:
    size = maximum(m, n)
    work = Work(6 * size**3, size * size).plus(substitution(size, size, True)).plus(substitution(size, size, False))
    return times(work, prod(x.shape[:-2]))


def _packed(x: TensorSpec, m: Any, n: Any) -> list[TensorSpec]:
    return [TensorSpec(x.shape, x.dtype), TensorSpec((*x.shape[:-2], minimum(m, n)), "int32")]


@operator(
    "x: *batches m n -> factors: *batches m n, pivots: *batches k",
    infer=_packed,
    saves={"factors": "the gradient multiplies and solves with them", "pivots": "the order of the factors' rows"},
    gradients={"x": _lu_gradient},
)
def lu_factor(x: TensorSpec, m: Any, n: Any) -> Work:
    """An LU factorisation with pivots, both factors in one matrix: L U = P x.

    2 per multiply-add, (m - i) (n - i) of them in step i; 1 per division, m - i of them (LAPACK Working Note 41,
    xGETRF).

    Backward, for n × n: three products, 2 n³ each, the sum of two, n², and two triangular systems of n columns; for
    others as for the larger side.
    """
    return times(_eliminated(m, n), prod(x.shape[:-2]))


def _apart(x: TensorSpec, m: Any, n: Any) -> list[TensorSpec]:
    lead, steps = x.shape[:-2], minimum(m, n)
    return [TensorSpec((*lead, *sizes), x.dtype) for sizes in ((m, m), (m, steps), (steps, n))]


@operator(
    "x: *batches m n -> p: *batches m m, lower: *batches m k, upper: *batches k n",
    infer=_apart,
    saves=dict.fromkeys(("p", "lower", "upper"), "the gradient multiplies and solves with it"),
    gradients={"x": _lu_gradient},
)
def lu(x: TensorSpec, m: Any, n: Any) -> Work:
    """The factors of x = P L U as three matrices: as lu_factor; writing them apart is bytes.

    2 per multiply-add, (m - i) (n - i) of them in step i; 1 per division, m - i of them.

    Backward: as lu_factor.
    """
    return times(_eliminated(m, n), prod(x.shape[:-2]))


def _like_b(factors: TensorSpec, b: TensorSpec, n: Any, *, left: bool = True) -> TensorSpec:
    fits = len(b.shape) == len(factors.shape) and not any(map(differ, b.shape[:-2], factors.shape[:-2]))
    if not fits or differ(b.shape[-2 if left else -1], n):
        raise ShapeError(f"b {list(b.shape)} does not fit the {n} unknowns of factors {list(factors.shape)}")
    return TensorSpec(b.shape, b.dtype)


def _lu_solve_factors(factors: TensorSpec, b: TensorSpec, n: Any, *, left: bool = True) -> Work:
    columns = b.shape[-1 if left else -2]
    work = Work(2 * n * n * columns + 2 * n**3, 2 * n * n)
    work = work.plus(substitution(n, n, True)).plus(substitution(n, n, False))
    return times(work, prod(factors.shape[:-2]))


@operator(
    "factors: *batches n n, pivots: *batches n, b: *right -> *right",
    infer=_like_b,
    saves=(
        Saved("factors", "the gradients solve with them again"),
        Saved("pivots", "the order of the factors' rows"),
        Saved("out", "the factors' gradient multiplies by the solution", needed_for="factors"),
    ),
    gradients={
        "factors": _lu_solve_factors,
        "b": lambda factors, b, n, *, left=True: times(
            two_systems(n, b.shape[-1 if left else -2]), prod(factors.shape[:-2])
        ),
    },
)
def lu_solve(factors: TensorSpec, b: TensorSpec, n: Any, *, left: bool = True) -> Work:
    """The solution of a system whose LU factors are there: two triangular systems.

    2 per multiply-add, n (n - 1) of them a column, and n divisions a column (LAPACK Working Note 41, xGETRS).

    Backward: as much for b. For the factors the product of g and the solution, 2 n² a column, one of factors, 2 n³, two
    triangular systems of n columns, and 2 n² to negate and to add.
    """
    return times(two_systems(n, b.shape[-1 if left else -2]), prod(factors.shape[:-2]))


@operator(
    "x: *batches n n -> *batches",
    saves=(Saved("x", "torch refers to it beside its factors"), FACTORS, PIVOTS, Saved("out", "g is scaled by it")),
    gradients={"x": lambda x, n: times(Work(vector_flops=n * n + n + 1).plus(two_systems(n, n)), prod(x.shape[:-2]))},
)
def det(x: TensorSpec, n: Any) -> Work:
    """The determinant: an LU factorisation, then the product of its diagonal, 1 per element of that.

    2 per multiply-add, n (n - 1) (2 n - 1) / 6 of them, and n (n - 1) / 2 divisions.

    Backward: two triangular systems of n columns with the factors; n² + n + 1: zeros on the diagonal replaced and
    added, g times the result.
    """
    return times(_eliminated(n, n).plus(Work(vector_flops=n)), prod(x.shape[:-2]))


@operator(
    "x: *batches n n -> sign: *batches, logarithm: *batches",
    saves=(Saved("x", "torch refers to it beside its factors"), FACTORS, PIVOTS, Saved("sign", "g is scaled by it")),
    gradients={"x": lambda x, n: times(two_systems(n, n), prod(x.shape[:-2]))},
)
def slogdet(x: TensorSpec, n: Any) -> Work:
    """The sign and the logarithm of the determinant's size: an LU factorisation, then 4 per element of its diagonal:
    its sign, their product, the logarithm of the absolute value, their sum.

    2 per multiply-add, n (n - 1) (2 n - 1) / 6 of them, and n (n - 1) / 2 divisions; n logarithms are transcendental.

    Backward: two triangular systems of n columns with the factors.
    """
    return times(_eliminated(n, n).plus(Work(0, 4 * n, n)), prod(x.shape[:-2]))


def _columns_of_q(m: Any, n: Any, mode: str) -> Any:
    if mode not in ("reduced", "complete", "r"):
        raise OperatorError(f"mode is 'reduced', 'complete' or 'r', not {mode!r}")
    return {"reduced": minimum(m, n), "complete": m, "r": 0}[mode]


def _orthogonal(x: TensorSpec, m: Any, n: Any, *, mode: str = "reduced") -> list[TensorSpec]:
    lead, columns = x.shape[:-2], _columns_of_q(m, n, mode)
    q = (0,) if mode == "r" else (*lead, m, columns)
    rows = minimum(m, n) if mode == "r" else columns
    return [TensorSpec(q, x.dtype), TensorSpec((*lead, rows, n), x.dtype)]


def _qr_gradient(x: TensorSpec, m: Any, n: Any) -> Work:
    long, short = maximum(m, n), minimum(m, n)
    work = Work(4 * long * short * short + 2 * short**3, 2 * short * short + short + long * short)
    return times(work.plus(substitution(short, long, False)), prod(x.shape[:-2]))


@operator(
    "x: *batches m n -> q: *columns, r: *rows",
    infer=_orthogonal,
    saves=(Saved("q", "the gradient multiplies by it"), Saved("r", "the gradient solves with it")),
    gradients={"x": _qr_gradient},
)
def qr(x: TensorSpec, m: Any, n: Any, *, mode: str = "reduced") -> Work:
    """The QR factorisation by Householder reflections: R, and Q unless `mode` is 'r'.

    2 per multiply-add: reflection i of k = min(m, n) takes 2 (m - i + 1) of them for each column to its right (for
    m ≥ n 2 n² (m - n / 3) FLOPs in leading order: Golub and Van Loan, 5.2.2), and as many again for each of Q's columns
    from i on. 3 per element of the column that it comes from: its square, their sum, a division; one root each, which
    is transcendental.

    Backward, for m ≥ n: Qᵀ times g, g Rᵀ and Q times their difference, 4 m n² + 2 n³; a triangular system of m rows;
    2 n² + n + m n to subtract, to add halves and the rest. For m < n as for the transposed.
    """
    steps, columns = minimum(m, n), _columns_of_q(m, n, mode)
    products = _staircase(m + 1, n, steps)
    if mode != "r":
        products += _staircase(m + 1, columns + 1, steps)
    below = steps * m - exact_div(steps * (steps - 1), 2)
    return times(Work(4 * products, 3 * below + steps, steps), prod(x.shape[:-2]))


def _cholesky_columns(n: Any, k: Any) -> Work:
    return substitution(n, k, False).plus(substitution(n, k, False))


def _cholesky_factor(wanted: tuple[bool, ...], b: TensorSpec, n: Any, k: Any) -> Work:
    work = Work(2 * n * n * k + 2 * n**3, 2 * n * n)
    return times(work if wanted[0] else work.plus(_cholesky_columns(n, k)), prod(b.shape[:-2]))


@operator(
    "b: *batches n k, factor: *batches n n -> *batches n k",
    saves=(
        Saved("b", "torch refers to it beside the solution"),
        Saved("factor", "the gradients solve with it again"),
        Saved("out", "the factor's gradient multiplies by the solution"),
    ),
    gradients={
        "b": lambda b, n, k: times(_cholesky_columns(n, k), prod(b.shape[:-2])),
        "factor": _cholesky_factor,
    },
)
def cholesky_solve(b: TensorSpec, n: Any, k: Any) -> Work:
    """The solution of L Lᵀ x = b: two triangular systems.

    2 per multiply-add, n (n - 1) of them a column, and 2 n divisions a column (LAPACK Working Note 41, xPOTRS).

    Backward: as much for b. For the factor the product of that and the solution, 2 n² a column, its sum with its
    transpose, n², and that times the factor, 2 n³, negated, n².
    """
    return times(_cholesky_columns(n, k), prod(b.shape[:-2]))


@operator(
    "x: *batches n n -> *batches n n",
    saves={"x": "the gradient multiplies by it", "out": "the gradient multiplies by it twice"},
    gradients={"x": lambda x, n: times(Work(6 * n**3, 2 * n * n), prod(x.shape[:-2]))},
)
def cholesky_inverse(x: TensorSpec, n: Any) -> Work:
    """The inverse of L Lᵀ, L given (LAPACK Working Note 41, xPOTRI).

    2 per multiply-add, n (n - 1) (2 n - 1) / 6 of them, and n (n + 1) (n + 2) / 3 products in all, those that nothing
    is added to counted as vector FLOPs.

    Backward: three products, 2 n³ each, and n² to add g to its transpose and n² to negate.
    """
    adds = exact_div(n * (n - 1) * (2 * n - 1), 6)
    alone = exact_div(n * (n + 1) * (n + 2), 3) - adds
    return times(Work(2 * adds, alone), prod(x.shape[:-2]))
