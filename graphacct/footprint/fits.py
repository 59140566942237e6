"""Whether a model fits in a device's memory, and the largest size that fits: exact numbers, no margin added."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from graphacct.errors import ConfigError, GraphacctError
from graphacct.footprint.device_fit import Fit
from graphacct.footprint.memory import Memory
from graphacct.progress import doing

MOST = 2**40
"""The largest size that is tried; a model whose memory does not grow with it would never end."""
ALIGNED = 8


@attrs.frozen
class Largest:
    """The largest size that fits.

    Attributes:
        size: The size.
        memory: The memory at that size.
        limit: The model's own limit, if that and not memory ended the search; empty otherwise.
    """

    size: int
    memory: Memory
    limit: str = ""


def fit(memory: Memory, budget: int) -> Fit:
    """Returns whether a model's total fits in `budget` bytes. Raises ConfigError if sizes are symbols or arrays."""
    if type(memory.total) is not int:
        raise ConfigError(f"whether {memory.model!r} fits needs numbers, and its total is a formula or an array")
    return Fit(memory.total, budget)


def largest(measure: Callable[[int], Memory], budget: int, option: str) -> Largest:
    """Returns the largest size, 1 or more, at which `measure` gives a total within `budget` bytes.

    The total must grow with the size, or from one multiple of `unit_of(option)` to the next: doubling, then halving
    finds it in few steps, and the next larger size was tried and does not fit. A size that the model refuses (beyond
    its context) ends the search too.

    Raises ConfigError, which names the size as `option`, if not even 1 fits.
    """
    best = measure(1)
    least = fit(best, budget)
    if not least.fits:
        raise ConfigError(
            f"not even {option} 1 of {best.model!r} fits: it needs {least.total:,} bytes of {budget:,}, "
            f"{-least.headroom_bytes:,} too many; on='all', or a device in its place, shows ways out"
        )
    found: dict[int, Memory] = {1: best}
    limits: dict[int, str] = {}

    def fits(size: int) -> bool:
        try:
            with doing(f"looking for the largest {option}: {size:,} is tried"):
                memory = measure(size)
        except GraphacctError as error:
            limits[size] = str(error)
            return False
        limits[size] = ""
        if not fit(memory, budget).fits:
            return False
        found[size] = memory
        return True

    low, high = _halved(fits, 1, MOST + 1, 1)
    unit = unit_of(option)
    aligned = unit * (high // unit + 1)
    if unit > 1 and high <= MOST and not limits[high] and fits(aligned):
        low, _ = _halved(fits, aligned, MOST + 1, unit)
        high = low + 1
        while high % unit and fits(high):
            low, high = high, high + 1
    limit = limits.get(high, "")
    if high > MOST:
        limit = f"no larger {option} was tried"
    return Largest(low, found[low], limit)


def unit_of(option: str) -> int:
    """Returns the step in which totals surely grow. A sequence whose length is no multiple of 8 may take more than a
    slightly longer one: torch's memory-efficient kernel copies a mask to rows that are."""
    return ALIGNED if option in ("seq_len", "prompt_len") else 1


def _halved(fits: Callable[[int], bool], low: int, high: int, unit: int) -> tuple[int, int]:
    """Returns two neighbours among `low` and the multiples of `unit`, of which the first fits and the second does
    not, by doubling and then halving. `low` fits; `high` is never tried."""
    last = high
    while high - low > unit:
        middle = min(2 * low, last - 1) if high == last else (low + high) // 2 // unit * unit
        if fits(middle):
            low = middle
        else:
            high = middle
    return low, high
