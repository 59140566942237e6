"""The work of vector norms of any order, which several operators share."""

from typing import Any

from graphacct import Work


def norm_work(elements: Any, norms: Any, order: float) -> Work:
    """Returns the work of so many norms over so many elements in all.

    2 per element: for order 2 square and sum, with a root per norm; for 1 the absolute value and the sum; for infinity
    the absolute value and a comparison; for 0 a comparison with 0 and the sum. 3 for any other: the absolute value, its
    power, the sum, with a root per norm. Powers and roots are transcendental.
    """
    if order in (0, 1) or abs(order) == float("inf"):
        return Work(vector_flops=2 * elements)
    if order == 2:
        return Work(vector_flops=2 * elements + norms, transcendentals=norms)
    return Work(vector_flops=3 * elements + norms, transcendentals=elements + norms)


def norm_gradient(elements: Any, norms: Any, order: float) -> Work:
    """Returns the work of their gradients.

    3 per element for order 2: divided by the norm, zero where that is 0, times g. 2 for 1: the sign, times g; 6 for
    infinity: the absolute value, compare it with the largest, count those equal, the sign, two products, and a division
    per norm; none for 0. 4 for any other: the absolute value, its power, times the element, times g norm^(1 - order),
    which takes a power and a product per norm.
    """
    if order == 0:
        return Work()
    if order == 1:
        return Work(vector_flops=2 * elements)
    if order == 2:
        return Work(vector_flops=3 * elements)
    if abs(order) == float("inf"):
        return Work(vector_flops=6 * elements + norms)
    return Work(vector_flops=4 * elements + 2 * norms, transcendentals=elements + norms)
