"""Masks of attention: which keys each query sees, and how many pairs of them are counted.

The queries are the last of the positions that the keys have: a cache holds those before them.

    keys   0 1 2 3 4
    query 3 x x x x .      2 queries, 5 keys, causal: 4 + 5 pairs; with a window of 3, its own included: 3 + 3
    query 4 x x x x x
"""

from __future__ import annotations

from typing import Any

import attrs

from graphacct.dims import Dim, exact_div, floor_div, has_value, is_symbol, minimum, same
from graphacct.errors import ConfigError, brief, suggest

FULL, CAUSAL, HALF, WINDOW = "full", "causal", "half", "window"
MASKS = (FULL, CAUSAL, HALF, WINDOW)
"""What of attention's pairs a convention may count."""


@attrs.frozen(eq=False, repr=False)
class Mask:
    """Which keys each query sees. An operator that makes or applies a mask declares it (`Operator.sees`).

    Attributes:
        queries: How many queries there are.
        keys: How many keys.
        causal: Whether a query sees no key after its own position.
        window: How many positions back it sees, its own included; None for all.
        ahead: How many positions after its own it sees, of a mask with a window that is not causal; None for as many as
            before it.
        chunk: The length of the chunks that the positions are cut into, if a query sees its own chunk alone; None if it
            sees all.
        shared: How many of the keys, the last ones, have no positions and are seen by all, such as an encoder's output.
        prefix: How many of the first positions see one another whatever their order, such as an image before a text.
    """

    queries: Dim
    keys: Dim
    causal: bool = True
    window: Dim | None = None
    ahead: Dim | None = None
    chunk: Dim | None = None
    shared: Dim = 0
    prefix: Dim = 0

    def __repr__(self) -> str:
        return f"<Mask {self.queries} queries of {self.keys} keys>"

    def equals(self, other: Mask) -> bool:
        """Returns whether both let every query see the same keys."""
        ours, theirs = attrs.astuple(self), attrs.astuple(other)
        return all(type(a) is type(b) and same(a, b) for a, b in zip(ours, theirs, strict=True))

    def pairs(self, counted: str) -> Dim:
        """Returns how many pairs of a query and a key are counted; half a pair is left out."""
        if counted == HALF and self.causal and not self._alone:
            twice = self.twice(counted)
            return exact_div(twice, 2) if is_symbol(twice) else floor_div(twice, 2)
        if counted == WINDOW and (self.window is not None or self.chunk is not None):
            return self._near() + self.queries * self.shared
        if counted in (CAUSAL, WINDOW) and self.causal:
            return self._between(triangle) + self.queries * self.shared + self._prefixed()
        return self.queries * self.keys

    def twice(self, counted: str) -> Dim:
        """Returns twice as many, which is a whole number for half of an odd number of pairs too."""
        if counted == HALF and self.causal and not self._alone:
            return self.queries * (2 * self.keys - self.queries)
        return 2 * self.pairs(counted)

    @property
    def _alone(self) -> bool:
        """Whether there is one query, which sees everything."""
        return has_value(self.queries) and self.queries == 1

    def _between(self, first: Any) -> Dim:
        """Returns the pairs of the queries, from how many the first n positions have with keys before and at them."""
        positions = self.keys - self.shared
        before = positions - self.queries
        return first(positions) - (0 if has_value(before) and before == 0 else first(before))

    def _prefixed(self) -> Dim:
        """Returns how many pairs a prefix has with positions ahead: p (p - 1) / 2. Its tokens are among the queries, or
        all in the cache."""
        if has_value(self.prefix) and has_value(self.queries) and self.queries < self.prefix:
            return 0
        return triangle(self.prefix) - self.prefix

    def _near(self) -> Dim:
        """Returns the pairs in each query's window or chunk."""
        window, chunk = self.window, self.chunk
        if chunk is not None:
            return self._between(lambda n: in_chunks(n, chunk))
        back = self._between(lambda n: in_window(n, window))
        if self.causal or window is None:
            return back
        ahead = window if self.ahead is None else self.ahead + 1
        return back + in_window(self.queries, ahead) - self.queries  # its own once


def triangle(n: Dim) -> Dim:
    """Returns n (n + 1) / 2: the pairs of n positions with those before them and themselves."""
    return exact_div(n * (n + 1), 2)


def in_window(n: Dim, window: Any) -> Dim:
    """Returns the sum of min(i, window) for i from 1 to n: the pairs of n positions in a window, their own included."""
    reached = minimum(n, window)
    return triangle(reached) + (n - reached) * reached


def in_chunks(n: Dim, chunk: Any) -> Dim:
    """Returns the causal pairs of n positions in chunks: those of whole chunks, and of the rest."""
    whole = floor_div(n, chunk)
    return whole * triangle(chunk) + triangle(n - whole * chunk)


def counted_pairs(word: str) -> str:
    """Returns a word of MASKS. Raises ConfigError for another."""
    if word not in MASKS:
        raise ConfigError(f"mask is {', '.join(MASKS[:-1])} or {MASKS[-1]}, not {brief(word)}{suggest(word, MASKS)}")
    return word


@attrs.frozen(eq=False, repr=False)
class Share:
    """The part of attention's pairs that is counted of an operator's application.

    Half of an odd number of pairs has half a pair, which counts in products, of 2 FLOPs each, and not in other
    arithmetic.

    Attributes:
        pairs: How many are counted, half a pair left out.
        twice: Twice as many, half a pair included.
        of: How many there are.
        stated: Whether the operator's own functions ask for the pairs. The work of others is in proportion to them.
    """

    pairs: Dim
    twice: Dim
    of: Dim
    stated: bool = False

    def __repr__(self) -> str:
        return f"<Share {self.pairs} of {self.of}>"

    def part(self, value: Dim) -> Dim:
        """Returns the counted part of what is in proportion to the pairs."""
        return exact_div(value * self.pairs, self.of, IN_PROPORTION)

    def of_products(self, value: Dim) -> Dim:
        """Returns the same of FLOPs in products, where half a pair counts."""
        return exact_div(value * self.twice, 2 * self.of, IN_PROPORTION)


IN_PROPORTION = "work in proportion to the pairs of positions"
