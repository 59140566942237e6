"""Samples: about what formulas are for a few sizes, to see at once that one is not always the larger one of two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphacct.formulas.terms import Number, powers

COUNT = 6
"""At so many sizes: of all atoms, the same number of values."""
FAR = 1000.0
"""How many times its own value a size is where it is far larger."""


class Samples:
    """What atoms and products are at some sizes: at their own values, at 1 each, and where some are far larger."""

    def __init__(self) -> None:
        self.atoms: list[list[float]] = []
        self._products: dict[int, list[float]] = {0: [1.0] * COUNT}

    def add_size(self, value: int) -> None:
        """Adds a size with its value."""
        place, own = len(self.atoms), float(value)
        far = [own * FAR if (place >> bit) & 1 else own for bit in range(2)]
        self.atoms.append([own, 1.0, *far, *(1.0 if wide > own else own * FAR for wide in far)])

    def add(self, values: Sequence[float]) -> None:
        """Adds an atom with its values at these sizes."""
        self.atoms.append([*values])

    def of(self, terms: Mapping[int, Number]) -> list[float]:
        """Returns what a formula is at each of the sizes."""
        own = ones = first_far = second_far = first_alone = second_alone = 0.0
        products = self._products
        for product, number in terms.items():
            factor = float(number)
            a, b, c, d, e, f = products.get(product) or self._product(product)
            own += factor * a
            ones += factor * b
            first_far += factor * c
            second_far += factor * d
            first_alone += factor * e
            second_alone += factor * f
        return [own, ones, first_far, second_far, first_alone, second_alone]

    def _product(self, product: int) -> list[float]:
        if product not in self._products:
            found = [1.0] * COUNT
            for place, power in powers(product):
                found = [one * value**power for one, value in zip(found, self.atoms[place], strict=True)]
            self._products[product] = found
        return self._products[product]
