"""Formulas as JavaScript: what node computes at random sizes is what Python does, guards included, to the unit."""

import json
import os
import random
import shutil
import subprocess
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest

import graphacct
from graphacct.deriving.symbols import symbols_of
from graphacct.deriving.traced_report import traced_report
from graphacct.formulas import javascript
from graphacct.formulas.evaluate import Evaluation
from graphacct.formulas.javascript import JavaScript, variable_of
from graphacct.formulas.terms import whole
from graphacct.formulas.trace import Trace
from graphacct.hooks.manager import default
from graphacct.models.find import find_model

HELPERS = Path(javascript.__file__).with_name("exact.js").read_text(encoding="utf-8")
MODELS = (
    *("gpt2", "gpt2-xl", "llama-3-8b", "qwen2.5-0.5b", "gemma-2-2b", "mistral-7b-v0.1", "phi-2"),
    *("mixtral-8x7b-v0.1", "deepseek-v3", "bert-base-uncased", "t5-small", "whisper-tiny"),
    *("mamba-130m", "gpt2:train", "llama-3-8b:train", "t5-small:train", "deepseek-v3:train"),
    *("llama-3-8b:decode", "vit-base-patch16-224", "stable-diffusion-v1-5-unet"),
)
POINTS = int(os.environ.get("JAVASCRIPT_POINTS", 50))
"""Of each model; `make fuzz` takes 1,000."""
FEWER = {"stable-diffusion-v1-5-unet": 4, "deepseek-v3:train": 10, "t5-small:train": 10, "llama-3-8b:train": 20}
"""Models with many formulas: so many points, unless the variable says how many."""
REPORTS = 1
"""So many of these are compared with reports too: Python's own formulas are checked against them elsewhere."""
WORKLOAD = {"decode": {"cache_len": 4096}, "train": {"quantities": ("step_flops", "saved_bytes", "peak_bytes")}}


def in_node(script: str) -> list:
    """What a program prints as JSON, one line a value."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    done = subprocess.run([node, "-"], input=script, capture_output=True, text=True, timeout=300, check=False)
    assert not done.returncode, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]


def program(trace: Trace, figures: list, points: list) -> str:
    """Prints of each point whether the guards hold, and the figures."""
    names = list(trace.sizes)
    code = JavaScript(trace)
    guards = ", ".join(f"() => {code.condition(guard)}" for guard in trace.decisions)
    found = ", ".join(f"() => {code.of(figure)}" for figure in figures)
    lines = "\n".join(code.lines)
    return (
        f"(() => {{\nconst at = ([{', '.join(map(variable_of, names))}]) => {{\n{lines}\n"
        f"return [[{guards}], [{found}]];\n}};\n"
        f"for (const point of {json.dumps([[str(point[name]) for name in names] for point in points])}) {{\n"
        "  const [guards, figures] = at(point.map(BigInt));\n"
        "  const text = (f) => typeof f === 'bigint' ? `${f}` : `${f.above}/${f.below}`;\n"
        "  console.log(JSON.stringify([guards.map((each) => each()), figures.map((each) => text(each()))]));\n"
        "}\n})();\n"
    )


@cache
def traced(name: str):
    """The model's report with its sizes left open, and what gives its report for other sizes."""
    model, _, phase = name.partition(":")
    options = {"phase": phase, **WORKLOAD.get(phase, {})} if phase else {}
    found = find_model(model, default(), {})

    def account(**given):
        return graphacct.account(found, **given)

    symbols = symbols_of(found, options, account(**options).workload)
    own = {symbol.name: symbol.value for symbol in symbols}
    own = {key: 2 if key == "batch" and value == 1 else value for key, value in own.items()}
    report = traced_report(account, options, symbols, own, own)
    return report, own, lambda point: with_report(account, options, point, symbols)


def with_report(account, options, point, symbols):
    from graphacct.deriving.symbols import with_sizes

    return account(**with_sizes(options, point, symbols))


def points_of(name: str, trace: Trace, count: int) -> list[dict[str, int]]:
    """Random sizes, most of them as they are or some times as large, at which the guards hold; one in ten may be
    others."""
    chance, found = random.Random(name), [trace.sizes]
    for _ in range(60 * count):
        many = chance.random()
        point = {
            key: size
            if chance.random() < many
            else size * chance.randint(1, 8)
            if chance.random() < 0.7
            else chance.randint(1, 2 * size)
            for key, size in trace.sizes.items()
        }
        at = Evaluation(trace, point)
        if all(map(at.holds, trace.decisions)) or chance.random() < 0.1:
            found.append(point)
        if len(found) == count:
            break
    return found


@pytest.mark.parametrize("name", MODELS)
def test_javascript_computes_what_python_does(name):
    """Every distinct figure of every node and every guard, at random sizes."""
    report, own, report_at = traced(name)
    trace = report.trace
    rows = report.report.values
    figures = list({str(getattr(figure, "key", figure)): figure for row in rows for figure in row}.values())
    count = POINTS if "JAVASCRIPT_POINTS" in os.environ else FEWER.get(name, POINTS)
    points = points_of(name, trace, count)
    compared = 0
    found = in_node(HELPERS + program(trace, figures, points))
    for point, (guards, numbers) in zip(points, found, strict=True):
        at = Evaluation(trace, point)
        assert guards == [at.holds(guard) for guard in trace.decisions], point
        if all(guards):
            assert [whole(Fraction(each)) for each in numbers] == [at.of(figure) for figure in figures], point
            if compared < REPORTS:
                plain = report_at({**own, **point})
                assert [[at.of(figure) for figure in row] for row in rows] == [list(row) for row in plain.values], point
            compared += 1
    assert compared >= count / 4


def test_division_and_fractions_are_exact():
    """Rounding is Python's for either sign; what is no whole number is a fraction, and takes part in sums."""
    script = HELPERS + (
        "const text = (f) => typeof f === 'bigint' ? `${f}` : `${f.above}/${f.below}`;\n"
        "for (const [a, b] of [[7n, 2n], [-7n, 2n], [7n, -2n], [-7n, -2n], [6n, 3n], [-6n, 3n], [0n, 5n]])\n"
        "  console.log(JSON.stringify([`${floorDiv(a, b)}`, `${ceilDiv(a, b)}`, text(fraction(a, b))]));\n"
        "console.log(JSON.stringify([text(plus(fraction(1n, 2n), fraction(1n, 3n))),"
        " text(larger(fraction(1n, 2n), 1n)),"
        " `${max(3n, 9n, 4n)}`, `${min(3n, 9n, 2n)}`, text(fraction(...smallest([1n, 2n], [-1n, -3n])))]));\n"
    )
    pairs = [(7, 2), (-7, 2), (7, -2), (-7, -2), (6, 3), (-6, 3), (0, 5)]
    *found, last = in_node(script)
    assert found == [[str(a // b), str(-(-a // b)), str(Fraction(a, b))] for a, b in pairs]
    assert last == ["5/6", "1", "9", "2", "1/3"]


def test_quotients_that_are_not_whole_stay_exact():
    """A ratio inside of a rounded quotient, of a largest and of a sum is the exact number, not a float."""
    trace = Trace()
    a, b, c = trace.size("a", 10**20 + 7), trace.size("b", 3), trace.size("c", 11)
    ratio = trace.quotient(a + 1, b + c)
    figures = [ratio, ratio // 2, -(-ratio // c), trace.largest(ratio, a / b), ratio * ratio + b, a / 2, 3 * (a // b)]
    points = [{"a": 10**30 + 1, "b": 7, "c": 2}, {"a": 5, "b": 1, "c": 1}, trace.sizes]
    found = in_node(HELPERS + program(trace, figures, points))
    for point, (_, numbers) in zip(points, found, strict=True):
        at = Evaluation(trace, point)
        assert [Fraction(each) for each in numbers] == [at.of(figure) for figure in figures]


def test_a_size_is_no_word_of_the_language():
    """Names come from configurations."""
    assert variable_of("text_config.hidden_size") == "$text_config_hidden_size"
    assert variable_of("class") == "$class"
    assert variable_of("a); alert(1") == "$a___alert_1"
