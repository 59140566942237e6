"""Plugins that register and return anything: figures, or an error in one or two lines."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

from cases import cases, junk

import graphacct
from graphacct.hooks.manager import KINDS, load

SIZES = {"seq_len": 4, "attention": "eager", "set": {"n_layer": 1, "n_embd": 8, "n_head": 2, "vocab_size": 11}}


def fault(rng: random.Random) -> Any:
    """A function that returns anything or raises."""
    kind, value = rng.randrange(4), junk(rng)
    numbers = [graphacct.Work(vector_flops=value), graphacct.Cost(matmul_flops=value), value, 5][rng.randrange(4)]

    def function(*_: Any, **__: Any) -> Any:
        if kind == 0:
            raise random.Random(0).choice([ValueError, KeyError, RecursionError, OSError, MemoryError])("a fault")
        return numbers

    return function


def things(rng: random.Random) -> dict[str, Callable[[], Any]]:
    """A thing of each kind, with faults in its functions."""
    replaces = rng.random() < 0.9
    return {
        "operators": lambda: graphacct.operator("x: ... n -> ... n", name="softmax", replaces=replaces)(fault(rng)),
        "conventions": lambda: graphacct.Convention("faulty", "", fault(rng)),
        "quantities": lambda: graphacct.Quantity("faulty", rng.choice(["byte", "FLOP", "x", ""]), fault(rng)),
        "analyses": lambda: graphacct.Analysis("faulty", fault(rng)),
        "readers": lambda: graphacct.Reader("faulty", "", fault(rng), fault(rng)),
        "transforms": lambda: graphacct.Transform("faulty", "", fault(rng)),
        "architectures": lambda: graphacct.LazyArchitecture("faulty", "no.module", ("gpt2-mine",), ("faulty",)),
    }


def plugin(rng: random.Random) -> Any:
    """An object with hooks that register things, or anything."""
    made = things(rng)
    hooks: dict[str, Any] = {}
    for kind in rng.sample(KINDS, rng.randrange(1, 4)):
        items: Any
        try:
            items = [made[kind]()] if kind in made and rng.random() < 0.8 else junk(rng)
        except graphacct.GraphacctError:
            continue
        hooks[f"graphacct_register_{kind}"] = graphacct.hookimpl(lambda items=items: items)
    if rng.random() < 0.5:
        function = fault(rng)
        hooks["graphacct_node_cost"] = graphacct.hookimpl(lambda node, operator: function())
    if rng.random() < 0.3:
        value = junk(rng)

        def around(node: Any, operator: Any) -> Any:
            yield
            return value

        hooks["graphacct_node_cost"] = graphacct.hookimpl(wrapper=True)(around)
    return SimpleNamespace(**hooks)


@cache
def model() -> Any:
    """Something that a reader is asked about."""
    return object()


def with_plugin(rng: random.Random) -> None:
    """Accounts for a model with a faulty plugin."""
    plugins = load()
    plugins.register(plugin(rng), "faulty", "faulty-pack 1.0")
    options: dict[str, Any] = {**SIZES, "plugins": plugins}
    kind = rng.randrange(5)
    if kind == 0:
        options["convention"] = "faulty"
    if kind == 1:
        options["transforms"] = ["faulty"]
    if kind == 2:
        str(graphacct.account(model(), plugins=plugins))
    elif kind == 3:
        graphacct.memory("gpt2", **options)
    else:
        str(graphacct.account("gpt2", **options))


def test_faulty_plugins() -> None:
    """Whatever they register."""
    cases("plugins", with_plugin)
