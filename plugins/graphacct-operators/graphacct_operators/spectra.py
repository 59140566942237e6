"""Eigenvalues, singular values and functions of matrices that iterate.

How often they iterate is up to the data. What is counted is the figure that textbooks state for the usual number of
steps (Golub and Van Loan, Matrix Computations, 4th edition, sections 7.5, 8.3 and 8.6), in vector_flops: most of it is
rotations and no products. Of complex numbers it is 4 times as much. The gradients are the kernels that torch runs
(torch 2.13), their products in matmul_flops.
"""

from typing import Any

from graphacct import Saved, TensorSpec, Work, exact_div, maximum, minimum, operator, prod
from graphacct_operators.gradient import is_complex
from graphacct_operators.linalg import factors, times, two_systems

REAL = {"complex64": "float32", "complex128": "float64"}
COMPLEX = {theirs: ours for ours, theirs in REAL.items()}


def _iterated(x: TensorSpec, flops: Any) -> Work:
    """Returns the work on each of the matrices x."""
    return Work(vector_flops=prod(x.shape[:-2]) * flops * (4 if is_complex(x) else 1))


def _pairs(x: TensorSpec, n: Any, *, vectors: bool = False, computes_vectors: bool = True) -> list[TensorSpec]:
    values = TensorSpec((*x.shape[:-2], n), REAL.get(x.dtype, x.dtype))
    return [values, TensorSpec(x.shape, x.dtype)] if vectors else [values]


def _own_vectors(x: TensorSpec, *, vectors: bool = False, computes_vectors: bool = True) -> list[Any]:
    return [x.shape] if computes_vectors and not vectors else []


def _eigh_gradient(x: TensorSpec, n: Any, *, vectors: bool = False) -> Work:
    work = Work(6 * n**3, 4 * n * n) if vectors else Work(2 * n**3, n * n)
    return times(work, prod(x.shape[:-2]))


@operator(
    "x: *batches n n -> values: *batches n, vectors: *batches n n",
    infer=_pairs,
    saves=(
        Saved("values", "the gradient divides by their differences"),
        Saved("vectors", "the gradient is between them", if_attribute="vectors"),
        Saved("own_vectors", "the gradient is between them", _own_vectors, "x"),
    ),
    gradients={"x": _eigh_gradient},
)
def eigh(x: TensorSpec, n: Any, *, vectors: bool = False, computes_vectors: bool = True) -> Work:
    """The eigenvalues of symmetric matrices, and with `vectors` their eigenvectors; torch computes these for the
    gradient too (`computes_vectors`).

    9 per n³ of each matrix with eigenvectors, 4 per (n³ - n) / 3 without: the symmetric QR algorithm (Golub and Van
    Loan, 8.3).

    Backward: V g Vᵀ, 2 n³ and n²; with eigenvectors three products, 6 n³, and 4 n²: differences of gradients and of
    eigenvalues, their quotient, a half.
    """
    return _iterated(x, 9 * n**3 if computes_vectors else exact_div(4 * (n**3 - n), 3))


def _complex_pairs(x: TensorSpec, n: Any, *, vectors: bool = False, computes_vectors: bool = True) -> list[TensorSpec]:
    dtype = COMPLEX.get(x.dtype, x.dtype)
    values = TensorSpec((*x.shape[:-2], n), dtype)
    return [values, TensorSpec(x.shape, dtype)] if vectors else [values]


def _eig_gradient(x: TensorSpec, n: Any, *, vectors: bool = False) -> Work:
    system = factors(n).plus(two_systems(n, n))
    work = Work(4 * system.matmul_flops, 11 * system.vector_flops)
    work = work.plus(Work(24 * n**3, 17 * n * n) if vectors else Work(0, 6 * n * n))
    return times(work, prod(x.shape[:-2]))


@operator(
    "x: *batches n n -> values: *batches n, vectors: *batches n n",
    infer=_complex_pairs,
    states_parts=True,
    saves=(
        Saved("values", "the gradient divides by their differences"),
        Saved("vectors", "the gradient is between them", if_attribute="vectors"),
        Saved("own_vectors", "the gradient is between them", _own_vectors, "values"),
    ),
    gradients={"x": _eig_gradient},
)
def eig(x: TensorSpec, n: Any, *, vectors: bool = False, computes_vectors: bool = True) -> Work:
    """The eigenvalues of any matrices, complex numbers, and with `vectors` their eigenvectors.

    25 per n³ of each matrix with eigenvectors, 10 without: the Hessenberg QR algorithm (Golub and Van Loan, 7.5).

    Backward: a complex system of n columns, 4 multiply-adds and 11 per division; with eigenvectors three complex
    products, 8 n³ each, and 17 n²: a product with real numbers, two differences, a quotient; without 6 n², a product.
    """
    return _iterated(x, 25 * n**3 if computes_vectors else 10 * n**3)


def _singular(
    x: TensorSpec, m: Any, n: Any, *, vectors: bool = False, full_matrices: bool = False, computes_vectors: bool = True
) -> list[TensorSpec]:
    lead, short = x.shape[:-2], minimum(m, n)
    values = TensorSpec((*lead, short), REAL.get(x.dtype, x.dtype))
    if not vectors:
        return [values]
    u = (m, m) if full_matrices else (m, short)
    vh = (n, n) if full_matrices else (short, n)
    return [values, TensorSpec((*lead, *u), x.dtype), TensorSpec((*lead, *vh), x.dtype)]


def _own_singular_vectors(
    x: TensorSpec, m: Any, n: Any, *, vectors: bool = False, full_matrices: bool = False, computes_vectors: bool = True
) -> list[Any]:
    if vectors or not computes_vectors:
        return []
    lead, short = x.shape[:-2], minimum(m, n)
    u, vh = ((m, m), (n, n)) if full_matrices else ((m, short), (short, n))
    return [(*lead, *u), (*lead, *vh)]


def _svd_gradient(x: TensorSpec, m: Any, n: Any, *, vectors: bool = False) -> Work:
    long, short = maximum(m, n), minimum(m, n)
    if not vectors:
        work = Work(2 * long * short * short, short * short)
    else:
        work = Work(10 * long * short * short + 2 * short**3, 8 * short * short + short + 3 * long * short)
    return times(work, prod(x.shape[:-2]))


@operator(
    "x: *batches m n -> values: *batches k, u: *left, vh: *right",
    infer=_singular,
    saves=(
        Saved("values", "the gradient divides by the differences of their squares"),
        Saved("u", "the gradient is between the vectors", if_attribute="vectors"),
        Saved("vh", "the gradient is between the vectors", if_attribute="vectors"),
        Saved("own_vectors", "the gradient is between the vectors", _own_singular_vectors, "x"),
    ),
    gradients={"x": _svd_gradient},
)
def svd(
    x: TensorSpec, m: Any, n: Any, *, vectors: bool = False, full_matrices: bool = False, computes_vectors: bool = True
) -> Work:
    """The singular values of m × n matrices, and with `vectors` their vectors, all of them if `full_matrices`; torch
    computes vectors for the gradient too (`computes_vectors`).

    R-SVD (Golub and Van Loan, 8.6), for m ≥ n or else the other way round: without vectors 2 per m n² and 2 per n³ of
    each matrix, with n of them 6 and 20, with all 4 per m² n and 22 per n³.

    Backward: of the values U g Vᵀ, 2 m n² and n². With vectors 10 m n² + 2 n³ in products and 8 n² + n + 3 m n:
    differences, quotients and sums; for square matrices too, of which torch leaves out a part.
    """
    long, short = maximum(m, n), minimum(m, n)
    if not computes_vectors:
        return _iterated(x, 2 * long * short * short + 2 * short**3)
    if full_matrices:
        return _iterated(x, 4 * long * long * short + 22 * short**3)
    return _iterated(x, 6 * long * short * short + 20 * short**3)


def _pinv_gradient(x: TensorSpec, m: Any, n: Any) -> Work:
    long, short = maximum(m, n), minimum(m, n)
    return times(Work(8 * long * short * (long + short), 5 * m * n), prod(x.shape[:-2]))


@operator(
    "x: *batches m n -> *batches n m",
    saves={"x": "the gradient multiplies by it", "out": "the gradient multiplies by it"},
    gradients={"x": _pinv_gradient},
)
def pinv(x: TensorSpec, m: Any, n: Any) -> Work:
    """The pseudoinverse: a singular value decomposition, and the product of its parts, 2 m n min(m, n).

    6 per m n² and 20 per n³ as svd, for m ≥ n or else the other way round; 2 per singular value: the selection, the
    reciprocal; and 1 per element of V, times those.

    Backward: eight products, four of 2 m n² and four of 2 m² n, and 5 m n to add and to negate.
    """
    short = minimum(m, n)
    values = _iterated(x, 6 * maximum(m, n) * short * short + 20 * short**3)
    return values.plus(times(Work(2 * m * n * short, 2 * short + short * n), prod(x.shape[:-2])))


@operator(
    "x: *batches n n -> *batches n n",
    saves={"x": "the gradient is a part of an exponential of twice the size"},
    gradients={"x": lambda x, n: times(Work(80 * n**3, 212 * n * n), prod(x.shape[:-2]))},
)
def matrix_exp(x: TensorSpec, n: Any) -> Work:
    """The exponential of matrices by a Taylor polynomial of degree 18, as torch computes it for a norm of 1.5 to 3; a
    smaller norm takes fewer products, and a larger one is halved first, with a product more for each halving.

    2 FLOPs per multiply-add of five products, n³ each (Bader, Blanes and Casas, 2019), and 53 per element: five
    combinations of five matrices, three sums.

    Backward: the exponential of matrices of 2 n.
    """
    return times(Work(10 * n**3, 53 * n * n), prod(x.shape[:-2]))
