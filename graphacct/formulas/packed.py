"""Sums as one int each, in which every coefficient has bits of its own: one subtraction compares all of them.

2 b s + 3 s and 2 b s + 4 s with 4 bits each:  0x23 and 0x24, and 0x24 - 0x23 + 0x88 is 0x89: both bits of 0x88 are
there, so that no coefficient of the difference is below 0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import lcm
from operator import mul

from graphacct.formulas.signs import lowest_powers
from graphacct.formulas.slack import Slack
from graphacct.formulas.terms import Terms, powers, product_of


class Packed:
    """Formulas as ints.

    Attributes:
        ints: One of each formula, in their order.
        signs: The bits that are set in `high - low + signs` if no coefficient is below 0.
    """

    def __init__(self, formulas: Sequence[Terms], slack: Slack, expanded: bool = True) -> None:
        """`expanded` compares in the variables of the slack; without it each product is a variable, which is faster and
        finds fewer. One may follow the other: what stands for a sum stands for all that the sum stood for."""
        products = [*dict.fromkeys(product for terms in formulas for product in terms)]
        if expanded:
            divisors = [item for item in lowest_powers(products).items() if slack.is_never_below_0(item[0])]
            factor = product_of((place, -power) for place, power in divisors)
            variables = _whole([_expanded(product + factor, slack) for product in products])
        else:
            variables = [{product: 1} for product in products]
        whole = _whole(formulas)
        most = max((max(map(abs, terms.values())) for terms in whole if terms), default=0)
        all_of_each = sum(max(map(abs, terms.values())) for terms in variables)
        width = (2 * most * all_of_each).bit_length() + 2
        bits: dict[int, int] = {}
        count = 0
        for each in dict.fromkeys(each for terms in variables for each in terms):
            bits[each] = 1 << (width * count)
            if not _never_below_0(each, slack, expanded):  # there must be neither more of it nor less
                count += 1
                bits[each] -= 1 << (width * count)
            count += 1
        packed = {
            product: sum([number * bits[each] for each, number in terms.items()])
            for product, terms in zip(products, variables, strict=True)
        }
        self.ints = [sum(map(mul, terms.values(), map(packed.__getitem__, terms))) for terms in whole]
        self.signs = sum(1 << (width * place + width - 1) for place in range(count))


def _whole(formulas: Sequence[Terms]) -> Sequence[Mapping[int, int]]:
    """Returns formulas times the same number, so that all coefficients are ints."""
    below = {number.denominator for terms in formulas for number in terms.values() if type(number) is not int}
    if not below:
        return formulas  # type: ignore[return-value]
    times = lcm(*below)
    return [
        {product: number.numerator * (times // number.denominator) for product, number in terms.items()}
        for terms in formulas
    ]


def _expanded(product: int, slack: Slack) -> Terms:
    """Returns a product in the variables of the slack; itself if it has a divisor that may be below 0."""
    return {product: 1} if lowest_powers((product,)) else slack.expanded(product)


def _never_below_0(product: int, slack: Slack, expanded: bool) -> bool:
    """Returns whether a product of variables, or of atoms if it is not `expanded`, is known to be 0 or more."""
    if expanded and not lowest_powers((product,)):
        return not product & slack.opaque
    return all(slack.is_never_below_0(place) for place, _ in powers(product))
