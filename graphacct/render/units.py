"""Human units, at the edge only: 3.52 TFLOP, 1.56 B parameters, 6.23 GB or 5.80 GiB.

Three significant digits, rounded half to even; integers below 1,000 stay exact. All arithmetic is on integers, so that
totals of any size print. A formula prints as itself, an array by its shape.
"""

from __future__ import annotations

from fractions import Fraction
from math import isfinite
from typing import Any

from graphacct.dims import dim_text, is_array, is_symbol

SI = ("", "k", "M", "G", "T", "P", "E", "Z", "Y", "R", "Q")
COUNTS = ("", "K", "M", "B", "T")
BINARY = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi")


def si(value: Any, unit: str = "") -> str:
    """Returns `value` with an SI prefix on its unit: `si(3520322342912, "FLOP")` is `3.52 TFLOP`."""
    return _scaled(value, 1000, SI, unit)


def params(value: Any) -> str:
    """Returns a count in thousands, millions or billions, as model sizes are written: `1.56 B`."""
    return _scaled(value, 1000, COUNTS, "")


def bytes_(value: Any, binary: bool = False) -> str:
    """Returns a number of bytes: `6.23 GB` (powers of 1,000), or `5.80 GiB` (powers of 1,024) when `binary`."""
    return _scaled(value, 1024, BINARY, "B") if binary else _scaled(value, 1000, SI, "B")


def human(value: Any, unit: str, binary: bool = False) -> str:
    """Returns a quantity's value in the human form of its unit (`Quantity.unit`)."""
    if unit == "byte":
        return bytes_(value, binary)
    if unit == "%":
        return percent(value)
    return params(value) if unit == "parameter" else si(value, unit)


def percent(share: Any) -> str:
    """Returns a share from 0 to 1 as a percentage with two decimals: `65.92 %`; a symbol prints as itself."""
    if is_symbol(share) and share.is_number:
        share = float(share)
    if is_symbol(share) or is_array(share):
        return dim_text(share)
    return f"{share * 100:.2f} %" if share == 0 or share >= 0.00005 else "<0.01 %"


def _scaled(value: Any, base: int, prefixes: tuple[str, ...], unit: str) -> str:
    if is_symbol(value) and value.is_number:
        value = int(value) if value.is_integer else float(value)
    if is_symbol(value) or is_array(value):
        return f"{dim_text(value)} {unit}".strip()
    if isinstance(value, float) and not isfinite(value):
        return f"{value} {unit}".rstrip()
    if value < 0:
        return f"-{_scaled(-value, base, prefixes, unit)}"
    if value < base and isinstance(value, int):
        return f"{value} {unit}".rstrip()
    above, below = (value, 1) if type(value) is int else Fraction(value).as_integer_ratio()
    step = 0
    digits = _digits(above, below, base)
    while digits is None and step < len(prefixes) - 1:
        step, below = step + 1, below * base
        digits = _digits(above, below, base)
    if digits is None:
        digits = _scientific(Fraction(above, below))
    return f"{digits} {prefixes[step]}{unit}".rstrip()


def _digits(above: int, below: int, base: int) -> str | None:
    """Returns three significant digits of a fraction below `base` (four for 1,000 to 1,023); None if it rounds up to
    `base`."""
    for decimals, limit in ((2, 10), (1, 100), (0, base)):
        rounded, rest = divmod(above * 10**decimals, below)
        rounded += 2 * rest > below or (2 * rest == below and rounded % 2)  # half to even
        if rounded < limit * 10**decimals:
            whole, rest = divmod(rounded, 10**decimals)
            return f"{whole}.{rest:0{decimals}d}" if decimals else str(whole)
    return None


def _scientific(scaled: Fraction) -> str:
    """Returns a number beyond the last prefix as 1.23e+45; `float` could overflow."""
    exponent = max(scaled.numerator.bit_length() - scaled.denominator.bit_length(), 0) * 30103 // 100000
    while scaled >= 10 ** (exponent + 1):
        exponent += 1
    while exponent and scaled < 10**exponent:  # lengths in bits may be one too many
        exponent -= 1
    found = _digits(scaled.numerator, scaled.denominator * 10**exponent, 10)
    return f"{found or '10.0'}e+{exponent}"
