"""Guards as a reader wants them: only those that say something, as short texts: `n_head divides n_embd`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import product as product_of_ranges

from graphacct.formulas.collect import Collector
from graphacct.formulas.guards import Guard
from graphacct.formulas.signs import Signs
from graphacct.formulas.terms import BITS, Number, Terms, added, multiplied, powers, scaled, whole
from graphacct.formulas.text import written
from graphacct.formulas.traced_size import CEIL, FLOOR, SIZE, Part, Recorder, TracedSize

LARGE = 2**31 - 1
"""Upper bounds from here on hold for every size that a model has, and are not told."""
MOST_RESTS = 1000
"""The most rests of sizes that are tried to see whether a number always divides a formula."""
SIGNS = {("==", True): "=", ("==", False): "≠"}


def told(trace: Recorder, guards: Sequence[Guard]) -> tuple[Guard, ...]:
    """Returns the guards that say something: no bound that every size meets, and none that follows from another one.

    A guard is divided by what others say is positive: `h f > f` is `h > 1` where `f > 1`.
    """
    found = [guard for guard in guards if not _is_large(guard) and not _always_divides(trace, guard)]
    at = {where: int(trace.atoms[where].value) for guard in found if (where := _held_place(trace, guard)) is not None}
    bounds = {place: bound for place, guard in enumerate(found) if (bound := _least(guard)) is not None}
    left: dict[int, Guard] = {}
    for place, guard in enumerate(found):
        signs = _signs(trace, [bound for other, bound in bounds.items() if other != place])
        held_here = _held_place(trace, guard) is not None
        if signs.always(guard.kind, guard.terms if held_here else _at(guard.terms, at)) is None:
            left[place] = Guard(guard.kind, signs.reduced(guard.terms), guard.holds)
    signs = _signs(trace, ())
    below = {place: _below_zero(guard) for place, guard in left.items() if guard.kind == "<"}
    for place, guard in list(left.items()):
        for mine in _either_below_zero(guard):
            if any(other != place and signs.never_negative(added(some, mine, -1)) for other, some in below.items()):
                below.pop(place, None)
                left.pop(place, None)
    equal = [guard.terms for guard in left.values() if guard.kind == "==" and guard.holds]
    for place, mine in below.items():
        if any(signs.always("<", added(mine, each, factor)) for each in equal for factor in (1, -1)):
            left.pop(place, None)  # s = p says that s ≤ p
    divided = {place: each for place, guard in left.items() if guard.holds and (each := _divides(trace, guard))}
    for place, pair in list(divided.items()):
        if any(other != place and _is_part(trace, pair, each) for other, each in divided.items()):
            del divided[place], left[place]
    return tuple(left.values())


def condition_text(trace: Recorder, guard: Guard) -> str:
    """Returns a guard as text: `seq_len > 1`, `seq_len ≤ n_positions`, `n_head divides n_embd`.

    Sizes that come first in the trace stand on the left, and numbers on the right.
    """
    collector = Collector(trace.atoms)
    divides = _divides(trace, guard) if guard.kind == "==" else None
    if divides is not None:
        verb = "divides" if guard.holds else "does not divide"
        return f"{written(collector.of(divides[1]))} {verb} {written(collector.of(divides[0]))}"
    positive = {product: number for product, number in guard.terms.items() if number > 0}
    negative = {product: -number for product, number in guard.terms.items() if number < 0}
    constant = guard.terms.get(0, 0)
    for side in (positive, negative):
        side.pop(0, None)
    swapped = not positive or (bool(negative) and _first(negative) < _first(positive))
    left, right = (negative, positive) if swapped else (positive, negative)
    moved = constant if swapped else -constant  # left - right (< or ==) moved
    if guard.kind == "==":
        sign = SIGNS["==", guard.holds]
    else:  # positive + constant < negative, or not
        sign = (">" if swapped else "<") if guard.holds else ("≤" if swapped else "≥")
        if not right and type(moved) is int:
            sign, moved = _as_bound(sign, moved)
    right = added(right, {0: moved} if moved else {})
    return f"{written(collector.of_terms(left))} {sign} {written(collector.of_terms(right))}"


def held(trace: Recorder, guard: Guard) -> tuple[str, int] | None:
    """Returns the size that a guard holds at one value, with the value; None for another guard."""
    place = _held_place(trace, guard)
    return None if place is None else (trace.atoms[place].name, int(trace.atoms[place].value))


def names_in(trace: Recorder, terms: Mapping[int, Number]) -> set[str]:
    """Returns the names of the sizes in a formula, also those in its operations."""
    found: set[str] = set()
    for product in terms:
        for place, _ in powers(product):
            atom = trace.atoms[place]
            if atom.kind == SIZE:
                found.add(atom.name)
            for part in atom.parts:
                if isinstance(part, TracedSize):
                    found |= names_in(trace, part.terms)
    return found


def _held_place(trace: Recorder, guard: Guard) -> int | None:
    if guard.kind != "==" or not guard.holds:
        return None
    sizes = [(place, power) for product in guard.terms for place, power in powers(product)]
    if len(sizes) != 1 or sizes[0][1] != 1 or trace.atoms[sizes[0][0]].kind != SIZE:
        return None
    return sizes[0][0]


def _at(terms: Mapping[int, Number], values: Mapping[int, int]) -> Terms:
    """Returns a formula with the values of some sizes put in."""
    found: Terms = {}
    for product, number in terms.items():
        each: Number = Fraction(number)
        for place, power in powers(product):
            if place in values:
                product, each = product - (power << (BITS * place)), each * Fraction(values[place]) ** power
        found = added(found, {product: whole(each)})
    return found


def _always_divides(trace: Recorder, guard: Guard) -> bool:
    """Returns whether a guard says that a number divides what it divides for all sizes: 2 divides n (n - 1).

    Whole numbers that leave the same rest leave the same rest of all that is multiplied and added of them.
    """
    pair = _divides(trace, guard) if guard.kind == "==" and guard.holds else None
    if pair is None or type(pair[1]) is not int:
        return False
    terms = trace.terms_of(pair[0]) or {}
    places = sorted({place for product in terms for place, _ in powers(product)})
    if pair[1] ** len(places) > MOST_RESTS or any(type(number) is not int for number in terms.values()):
        return False
    if any(power < 0 for product in terms for _, power in powers(product)):
        return False
    rests = product_of_ranges(range(pair[1]), repeat=len(places))
    return all(_at(terms, dict(zip(places, each, strict=True))).get(0, 0) % pair[1] == 0 for each in rests)


def _as_bound(sign: str, number: int) -> tuple[str, int]:
    """Returns a bound in the usual words: `seq_len < 258` is `seq_len ≤ 257`, and `h ≥ 2` is `h > 1`."""
    if sign == "<":
        return "≤", number - 1
    return (">", number - 1) if sign == "≥" and number == 2 else (sign, number)


def _is_large(guard: Guard) -> bool:
    """Returns whether a guard bounds sizes by a number that none of them reaches."""
    constant = guard.terms.get(0, 0)
    others = [number for product, number in guard.terms.items() if product]
    sign = -1 if guard.holds else 1
    return guard.kind == "<" and sign * constant >= LARGE and all(sign * number < 0 for number in others)


def _signs(trace: Recorder, bounds: Iterable[tuple[int, int]]) -> Signs:
    """Returns the signs of sizes from 1 on, and of operations from 0, with some lower bounds."""
    least = [None if atom.kind != SIZE and atom.value < 0 else int(atom.kind == SIZE) for atom in trace.atoms]
    for place, bound in bounds:
        least[place] = max(least[place] or 0, bound)
    return Signs(least)


def _least(guard: Guard) -> tuple[int, int] | None:
    """Returns the place of an atom and its least value, of a guard that says that alone."""
    if guard.kind != "<":
        return None
    terms = _below_zero(guard)
    constant = terms.pop(0, 0)
    for product, number in terms.items():
        (place, power), *more = powers(product)
        if len(terms) == 1 and not more and power == 1 and number < 0 and type(constant) is int:
            return place, constant // int(-number) + 1
    return None


def _below_zero(guard: Guard) -> Terms:
    """Returns the formula that is below 0 where a guard is as it was: a >= 0 is -a - 1 < 0 for whole numbers."""
    terms = dict(guard.terms)
    return terms if guard.holds else added(scaled(terms, -1), {0: 1}, -1)


def _either_below_zero(guard: Guard) -> Sequence[Terms]:
    """Returns formulas of which one below 0 is enough for a guard."""
    if guard.kind == "<":
        return (_below_zero(guard),)
    return () if guard.holds else (dict(guard.terms), scaled(guard.terms, -1))


def _divides(trace: Recorder, guard: Guard) -> tuple[Part, Part] | None:
    """Returns a and b of a guard that says whether b divides a: a - b floor(a / b) == 0."""
    for product in guard.terms:
        for place, power in powers(product):
            atom = trace.atoms[place]
            if power != 1 or atom.kind not in (FLOOR, CEIL):
                continue
            a, b = atom.parts
            above, below = trace.terms_of(a) or {}, trace.terms_of(b) or {}
            rest = added(above, multiplied(below, {1 << (BITS * place): 1}), -1)
            if _proportional(rest, guard.terms):
                return a, b
    return None


def _proportional(one: Mapping[int, Number], other: Mapping[int, Number]) -> bool:
    """Returns whether one formula is the other one times a number or a product."""
    if len(one) != len(other):
        return False
    lead, led = max(one), max(other)
    factor = Fraction(one[lead]) / Fraction(other[led])
    return {product + lead - led: whole(number * factor) for product, number in other.items()} == dict(one)


def _is_part(trace: Recorder, mine: tuple[Part, Part], theirs: tuple[Part, Part]) -> bool:
    """Returns whether `b divides a` follows from the other: what 2 b divides, b divides."""
    if trace.terms_of(mine[0]) != trace.terms_of(theirs[0]):
        return False
    (one, *more), (other, *others) = ((trace.terms_of(each[1]) or {}).items() for each in (mine, theirs))
    if more or others or type(one[1]) is not int or type(other[1]) is not int:
        return False
    return other[1] % one[1] == 0 and all(power > 0 for _, power in powers(other[0] - one[0]))


def _first(terms: Mapping[int, Number]) -> int:
    return min(place for product in terms for place, _ in powers(product))
