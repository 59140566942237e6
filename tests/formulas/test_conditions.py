"""Guards as a reader wants them."""

from graphacct.formulas.conditions import condition_text, held, names_in, told
from graphacct.formulas.trace import Trace


def sizes(**values):
    trace = Trace()
    return trace, *[trace.size(name, value) for name, value in values.items()]


def texts(trace):
    return [condition_text(trace, guard) for guard in told(trace, trace.decisions)]


def test_sizes_stand_on_the_left_and_numbers_on_the_right():
    trace, s, p, d = sizes(s=1024, p=1024, d=64)
    assert s > 1
    assert p >= s
    assert d <= 256
    assert d + s != 7
    assert 2 * s > 3 * d
    assert texts(trace) == ["s > 1", "s ≤ p", "d ≤ 256", "s + d ≠ 7", "2 · s > 3 · d"]


def test_a_rest_says_what_divides():
    trace, d, h, s = sizes(d=1600, h=25, s=1001)
    assert d % h == 0
    assert s % 8
    assert texts(trace) == ["h divides d", "8 does not divide s"]


def test_what_the_largest_divisor_divides_is_told_once():
    trace, d, h = sizes(d=64, h=4)
    assert d % h == 0
    assert d % (4 * h) == 0
    assert texts(trace) == ["4 · h divides d"]
    trace, d, h = sizes(d=64, h=4)
    assert d % 2 == 0
    assert d % 8 == 0
    assert texts(trace) == ["8 divides d"]


def test_what_every_size_meets_is_not_told():
    trace, s, d = sizes(s=1024, d=8)
    assert s <= 2**31 - 1
    assert s * d < 2**40
    assert texts(trace) == []


def test_what_follows_from_another_guard_is_not_told():
    trace, d, h, k = sizes(d=64, h=4, k=2)
    assert d > h
    assert d * k > h
    assert d != h
    assert texts(trace) == ["d > h"]


def test_what_follows_from_an_equation_is_not_told():
    trace, s, p = sizes(s=512, p=512)
    assert s <= p
    assert s == p
    assert texts(trace) == ["s = p"]


def test_a_guard_is_divided_by_what_is_positive():
    trace, d, h = sizes(d=64, h=4)
    each = d // h
    assert each > 1
    assert h * each != each
    assert texts(trace) == ["floor(d / h) > 1", "h > 1"]


def test_a_size_that_is_held():
    trace, n, s = sizes(n=3, s=5)
    list(range(n))
    assert s > 2
    assert [held(trace, guard) for guard in trace.decisions] == [None, ("n", 3)]
    assert names_in(trace, (n + -(-s // 3)).terms) == {"n", "s"}


def test_what_divides_all_whole_numbers_is_not_told():
    trace, n = sizes(n=12)
    assert n * (n + 1) * (2 * n + 1) % 6 == 0
    assert texts(trace) == []
    assert n % 4 == 0
    assert texts(trace) == ["4 divides n"]


def test_what_follows_from_a_size_that_is_held_is_not_told():
    trace, b, y = sizes(b=24, y=1)
    assert b != y
    assert y == 1
    assert b > 1
    assert texts(trace) == ["b > 1", "y = 1"]
