"""Formulas as Python: what the function gives is what a report of the same sizes gives, wherever the guards hold."""

import random

import pytest

import graphacct
from graphacct.formulas.source import Source, paired
from graphacct.formulas.trace import Trace
from graphacct.hooks.manager import default
from graphacct.models.find import find_model
from graphacct.models.size import config_sizes

MODELS = {
    "gpt2": (),
    "llama-3-8b": (),
    "bert-base-uncased": (),
    "t5-small": (),
    "mixtral-8x7b-v0.1": (),
    "deepseek-v3": ("first_k_dense_replace",),  # the layers before it differ from the others
}
QUANTITIES = ("params", "flops", "step_flops", "saved_bytes", "peak_bytes", "backward_peak_bytes", "read_bytes")


def compiled(trace, figures, exact=True):
    source = Source(trace, exact)
    made = {name: source.of(figure) for name, figure in figures.items()}
    holds = " and ".join(f"({source.condition(guard)})" for guard in trace.decisions) or "True"
    text = "\n".join([*source.lines, f"found = {{{', '.join(f'{name!r}: {each}' for name, each in made.items())}}}"])
    code = compile(f"{text}\nholds = {holds}", "formulas", "exec")

    def evaluated(sizes):
        names = {**sizes, "maximum": max, "minimum": min}
        exec(code, names)
        return names["found"] if names["holds"] else None

    return evaluated


@pytest.mark.parametrize("model", MODELS)
def test_formulas_are_the_figures_wherever_the_guards_hold(model):
    """All sizes at once, of the workload and of the configuration, in a training step: 6 random points, exact ints."""
    sizes = {
        name: size
        for name, size in config_sizes(find_model(model, default(), {}), {}).items()
        if "." not in name and name not in MODELS[model]
    }
    workload = {"batch": 2, "seq_len": 96}
    trace = Trace()

    def report(of):
        given = {name: of(name) for name in (*sizes, *workload)}
        keys = {name: given[name] for name in sizes}
        return graphacct.account(
            model, phase="train", set=keys, quantities=QUANTITIES, **{name: given[name] for name in workload}
        ).total

    own = {**sizes, **workload}
    evaluated = compiled(trace, report(lambda name: trace.size(name, own[name])))
    assert evaluated(own) == report(own.get)
    chance, compared = random.Random(model), 0
    for _ in range(600):
        point = {name: size if chance.random() < 0.6 else size * chance.randint(1, 4) for name, size in own.items()}
        found = evaluated(point)
        if found is not None:
            assert found == report(point.get), point
            compared += 1
        if compared == 6:
            break
    assert compared == 6


def test_the_largest_of_many_is_source_that_python_reads() -> None:
    """A thousand sizes, none of which is the largest everywhere: as many parentheses inside each other would be too
    many."""
    parts = [f"a{place}" for place in range(1000)]
    text = paired("max({}, {})", parts)
    values = {name: (7 * place) % 1009 for place, name in enumerate(parts)}
    assert eval(text, {"max": max, **values}) == max(values.values())
