"""What a block costs, times how often it repeats: also where the number of blocks is no symbol.

If all 61 layers share some terms and 58 of them have more, the sum is 61 · (…) + 58 · (…) + the ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from graphacct.costs.annotate import NodeCost
from graphacct.formulas.terms import BITS, Number, Terms, added, powers, whole
from graphacct.formulas.traced_size import SIZE, Atom, TracedSize
from graphacct.graph.paths import outermost

LONGER = 1.25
"""By how much a formula in blocks may be longer than without."""


def depths(records: Sequence[NodeCost], atoms: Sequence[Atom]) -> tuple[int, ...]:
    """Returns the places of the sizes that say how often a block repeats."""
    found: dict[int, None] = {}
    for record in records:
        for repeat in record.repeats:
            if isinstance(repeat, TracedSize) and len(repeat.terms) == 1:
                ((place, power), *more) = powers(next(iter(repeat.terms)))
                if not more and power == 1 and atoms[place].kind == SIZE:
                    found[place] = None
    return tuple(found)


def in_blocks(
    terms: Mapping[int, Number], rows: Sequence[tuple[NodeCost, Any]], atoms: Sequence[Atom]
) -> tuple[Terms, list[Atom]]:
    """Returns a sum of products with an atom for each number of blocks, and the atoms with these.

    `rows` are the nodes with their figures, which add up to the sum.
    """
    plain = dict(terms), list(atoms)
    blocks: dict[Any, tuple[int, Terms]] = {}
    for record, figure in rows:
        repeat = record.repeats[0] if record.repeats else 1
        if type(repeat) is int and repeat > 1:
            mine = figure.terms if isinstance(figure, TracedSize) else {0: figure} if figure else {}
            if any(number % repeat for number in mine.values() if type(number) is int):
                return plain
            key = (outermost(record.node.name), record.starts[:1])
            _, before = blocks.get(key, (repeat, Terms()))
            blocks[key] = repeat, added(before, mine)
    found, made = dict(terms), list(atoms)
    places: dict[int, int] = {}
    for product in dict.fromkeys(each for _, mine in blocks.values() for each in mine):
        counts: dict[Number, int] = {}
        for repeat, mine in blocks.values():
            if product in mine:
                each = whole(Fraction(mine[product]) / repeat)
                counts[each] = counts.get(each, 0) + repeat
        for each, count in counts.items():
            if count not in places:
                places[count] = len(made)
                made.append(Atom(SIZE, f"{count:,}", value=count))
            found = added(found, {product: 1}, -each * count)
            found[product + (1 << (BITS * places[count]))] = each
    return (found, made) if len(found) <= LONGER * len(terms) else plain
