"""Sizes that record what is computed of them: values, formulas, and the guards of what was decided."""

import math

import pytest

from graphacct.formulas.trace import Trace
from graphacct.formulas.traced_size import TracedSize


def traced(**values):
    trace = Trace()
    return trace, *[trace.size(name, value) for name, value in values.items()]


def guards(trace):
    """The guards as text: `seq_len - 1 > 0` is written `1 − seq_len < 0`."""
    return [
        f"{trace.made(dict(guard.terms), 1)} {guard.kind if guard.holds else {'<': '>=', '==': '!='}[guard.kind]} 0"
        for guard in trace.decisions
    ]


def test_a_formula_has_its_value_and_its_terms():
    trace, s, d = traced(s=8, d=5)
    cost = 2 * s * d**2 + 3 * s - s
    assert (cost.value, str(cost)) == (2 * 8 * 25 + 2 * 8, "2 · s · (d² + 1)")
    assert cost - cost == 0
    assert type(cost - cost) is int, "without sizes it is a plain number"
    assert math.prod([s, d, 2]) == 2 * d * s
    assert not trace.decisions, "equal formulas are equal for all sizes"


def test_what_numbers_decide_is_kept_as_a_guard():
    trace, s = traced(s=1024)
    assert s > 1
    assert guards(trace) == ["1 − s < 0"]
    assert s >= 2, "follows from it"
    assert s <= 1024
    assert s != 7
    assert guards(trace) == ["1 − s < 0", "1,024 − s >= 0", "s − 7 != 0"]


def test_what_holds_for_all_sizes_is_no_guard():
    trace, s, h = traced(s=1, h=1)
    assert s * h >= 1
    assert s + h > 1
    assert not s * h < 0
    assert not trace.decisions


def test_a_guard_on_one_size_stands_for_one_on_several():
    trace, s, h = traced(s=16, h=4)
    assert h * s > s
    assert guards(trace) == ["1 − h < 0"], "h > 1 is enough"


def test_a_size_that_is_counted_out_is_held():
    trace, n = traced(n=3)
    assert len([*range(n)]) == 3
    assert guards(trace) == ["n − 3 == 0"]


def test_quotients_are_products_where_they_are_whole():
    _, d, h, s = traced(d=1600, h=25, s=1000)
    assert str(d // h) == "floor(d / h)"
    assert d % h == 0
    each = d // h
    assert (str(each), each.value) == ("d / h", 64)
    assert str(h * each * s) == "d · s", "d is h times d / h"
    assert str((s * d) // d) == "s"
    assert (str((512 * s + 3) // 512), str(-(-s // 8)), (-(-s // 8)).value) == ("s", "ceil(s / 8)", 125)
    assert str((512 * s + d) // 512) == "s + floor(d / 512)"
    assert (s / 3).value == pytest.approx(1000 / 3)


def test_one_of_two_neighbours_is_even():
    trace, s, b = traced(s=10, b=3)
    assert (str(s * (s + 1) // 2), (s * (s + 1) // 2).value) == ("s · (s + 1) / 2", 55)
    assert (str((s * s + s) % 2), (b * s**3 - b * s) % 2) == ("0", 0)
    assert str(s * (s + b) // 2) == "floor(s · (s + b) / 2)"
    assert not trace.decisions


def test_the_largest_leaves_out_what_is_never_larger():
    trace, s, h, d = traced(s=10, h=2, d=5)
    most = trace.largest(s * h, s, s * h * d, 3)
    assert (most.value, str(most)) == (100, "max(s · h · d, 3)"), "3 is more where all are 1"
    two = trace.largest(s * s, s * d)
    assert (two.value, str(two)) == (100, "max(s², s · d)")
    assert str(trace.largest(two + s, s * d)) == "max(s · (s + 1), s · (d + 1))", "flat, and s d is never above s d + s"
    assert not trace.decisions, "nothing was decided"


def test_sizes_of_two_traces_are_not_equal():
    one, two = Trace().size("s", 4), Trace().size("s", 4)
    assert one != two
    with pytest.raises(TypeError):
        one + two


def test_a_division_by_zero_is_an_error():
    _, s = traced(s=4)
    with pytest.raises(ZeroDivisionError):
        s // 0
    with pytest.raises(ZeroDivisionError):
        1 / (s - s)
    trace, s = traced(s=4)
    assert 12 // (s - 1) == 4
    assert guards(trace)[0] == "1 − s < 0", "at s = 1 it would be an error"


def test_a_traced_size_hashes_by_its_formula():
    _, s, d = traced(s=4, d=4)
    assert len({s * d, d * s, s + d}) == 2
    assert isinstance(s * d, TracedSize)


def test_the_bits_of_a_size_hold_it_between_two_powers():
    trace, n = traced(n=24)
    assert (n - 1).bit_length() == 5
    assert guards(trace) == ["16 − n < 0", "n − 33 < 0"]


def test_a_float_that_rounds_holds_the_size():
    """1536 · 5.833333333333333 is 8960.0 in floats, and 8959.99… exactly: a report has what floats give."""
    trace, d = traced(d=1536)
    assert d * 4.0 == 4 * d
    assert not trace.decisions
    assert int(d * 5.833333333333333) == 8960
    assert guards(trace) == ["d − 1,536 == 0"]
    assert (d / 0.3, 0.1 / d) == (1536 / 0.3, 0.1 / 1536)
