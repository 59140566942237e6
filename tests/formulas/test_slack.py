"""What guards say of sums is used where the largest of several is taken and where sizes are compared: it must be true
wherever the guards hold."""

from __future__ import annotations

import itertools
import random

import pytest

from graphacct.formulas import largest
from graphacct.formulas.conditions import condition_text
from graphacct.formulas.evaluate import Evaluation
from graphacct.formulas.trace import Trace

SIZES = ("a", "b", "c")
TRIES = int(__import__("os").environ.get("TR", "60"))


def guards(trace):
    return [condition_text(trace, guard) for guard in trace.decisions]


def test_a_guard_on_a_sum_says_what_is_never_below_0():
    trace = Trace()
    h, k = trace.size("h", 14), trace.size("k", 5)
    assert h >= k
    room = h - k
    assert room + 1 > 0
    assert (room + 1) * (room + 1) >= 1
    assert guards(trace) == ["h ≥ k"]
    assert str(trace.largest(room * room, room * room + h - k)) == str(room * room + h - k)


def test_the_width_after_a_convolution_that_pads_by_half_its_kernel():
    trace = Trace()
    h, k = trace.size("h", 14), trace.size("k", 3)
    padding = (k - 1) // 2
    width = h + 2 * padding - k + 1
    assert width >= 1
    assert width * width + k > 1
    assert len(guards(trace)) == 1
    half = (h + 2 * padding - k) // 2 + 1
    assert half >= 1
    assert (half - 1) // 2 + 1 > 0
    assert len(guards(trace)) == 2
    assert trace.largest(k * k * width, k * k * (width + half)).terms == (k * k * (width + half)).terms


def test_a_rounded_quotient_times_its_divisor_is_never_above():
    trace = Trace()
    s = trace.size("s", 9)
    half = (s - 1) // 2
    assert trace.largest(2 * half, s) is s
    assert trace.largest(3 * half, s) is not s
    assert half > 0
    assert guards(trace) == ["floor((s − 1) / 2) > 0"]


def test_what_is_not_0_is_above_it():
    trace = Trace()
    s = trace.size("s", 40)
    rows = s // 8
    assert rows != 0
    assert rows >= 1
    assert guards(trace) == ["floor(s / 8) > 0"]


def test_a_quotient_of_sizes_that_is_no_whole_number_may_be_between():
    trace = Trace()
    a, b = trace.size("a", 7), trace.size("b", 2)
    part = (a + b) / (a + 1)
    assert part > 1
    assert trace.largest(part, 2) != part


@pytest.mark.parametrize("seed", range(TRIES))
def test_what_is_known_is_true_wherever_the_guards_hold(seed, monkeypatch):
    monkeypatch.setattr(largest, "FEW", seed % 2 * largest.FEW)
    chance = random.Random(seed)
    script = [(chance.choice("+-*//^<=>r"), chance.random(), chance.random(), chance.randint(1, 4)) for _ in range(14)]
    own = {name: chance.randint(1, 6) for name in SIZES}
    trace = Trace()
    figures = computed(script, [trace.size(name, own[name]) for name in SIZES], trace.largest, trace.smallest)
    for sizes in itertools.product(range(1, 7), repeat=len(SIZES)):
        point = dict(zip(SIZES, sizes, strict=True))
        at = Evaluation(trace, point)
        if all(map(at.holds, trace.decisions)):
            expected = computed(script, sizes, max, min)
            assert [at.of(figure) for figure in figures] == expected, (point, guards(trace))


def computed(script, sizes, most, least):
    """Returns what a script makes of sizes: sums, products, rounded quotients, the largest of two; and, of a
    comparison, another figure if it is so."""
    found = list(sizes)
    for what, one, other, number in script:
        a, b = found[int(one * len(found))], found[int(other * len(found))]
        if what == "+":
            found.append(a + number * b)
        elif what == "-":
            found.append(a - number * b + 1)
        elif what == "*":
            found.append(a * b if len(found) < 9 else a * number)
        elif what == "/":
            found.append((a - int(4 * other)) // number if one < other else -(-a // number))
        elif what == "^":
            found.append(most(a, b) if one < other else least(a, b))
        elif what == "<":
            found.append(a + 1 if a < b else b - a)
        elif what == "=":
            found.append(a if a == number else a - number)
        elif what == ">":
            found.append(most(a - b, number) if a >= b else most(b - a, 1))
        elif what == "r":
            found.append(most(a, (a - 1) // number * int(6 * other)))
    return found
