"""Contracts that are made up for things whose author has written none, with rows that fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphacct.costs.quantities import Quantity
from graphacct.errors import ConfigError, ShapeError
from graphacct.execution.profiles import Profile
from graphacct.graph.builder import Builder
from graphacct.hooks.manager import Plugins
from graphacct.hooks.registry import Plugin
from graphacct.operators.arguments import REQUIRED
from graphacct.operators.operator import Operator
from graphacct.phases import TRAIN
from graphacct.testing.analyses import AnalysisContract
from graphacct.testing.architectures import ArchitectureContract
from graphacct.testing.commands import CommandContract
from graphacct.testing.contract import Contract
from graphacct.testing.conventions import ConventionContract
from graphacct.testing.devices import DeviceContract
from graphacct.testing.node_hooks import COST, STRANGERS, STYLE, NodeHooksContract
from graphacct.testing.operators import OperatorContract
from graphacct.testing.optimizers import OptimizerContract, Update
from graphacct.testing.outputs import OutputContract
from graphacct.testing.profiles import ProfileContract
from graphacct.testing.quantities import QuantityContract
from graphacct.testing.readers import ReaderContract
from graphacct.testing.recompute_policies import RecomputePolicyContract
from graphacct.testing.rows import Row
from graphacct.testing.totals import Totals, sample_rows
from graphacct.testing.transforms import TransformContract
from graphacct.testing.translations import TranslationContract
from graphacct.testing.weight_formats import Matrix, WeightFormatContract
from graphacct.verbs.account import account

CONTRACTS: dict[str, type[Contract]] = {
    contract.kind: contract
    for contract in (
        OperatorContract,
        ArchitectureContract,
        ReaderContract,
        QuantityContract,
        ConventionContract,
        TransformContract,
        ProfileContract,
        AnalysisContract,
        OptimizerContract,
        RecomputePolicyContract,
        WeightFormatContract,
        DeviceContract,
        OutputContract,
        CommandContract,
        TranslationContract,
    )
}
SIZES = (2, 3, 5, 7, 11, 13, 17, 19, 23)
"""The numbers for the dimensions of an operator that has no rows."""
MATRIX = (256, 1024)
"""Outputs and inputs that are whole blocks of most formats."""
HOOKS = (COST, STYLE, *STRANGERS)
"""Those of a plugin that register nothing."""


def made_up(kind: str, item: Any, plugins: Plugins) -> type[Contract]:
    """Returns a contract of a thing for which there is none, with rows that fit if such can be made up."""
    contract: Any = CONTRACTS[kind]
    thing = item.load() if hasattr(item, "load") else item
    made = contract.of(thing, plugins=plugins, costs_in="no contract", rows=list(_rows(kind, thing, plugins)))
    made.__doc__ = f"class {made.__name__}({contract.__name__})"
    result: type[Contract] = made
    return result


def contract_of_hooks(plugin: Plugin, plugins: Plugins) -> type[NodeHooksContract] | None:
    """Returns a contract of a plugin's hooks that register nothing; None if it has no such hooks."""
    if not any(hasattr(plugin.module, name) for name in HOOKS):
        return None
    facts = {"plugin": plugin.module, "plugins": plugins, "rows": sample_rows(plugins), "costs_in": "no contract"}
    return type("TestHooks", (NodeHooksContract,), facts)


def _rows(kind: str, thing: Any, plugins: Plugins) -> Iterator[Any]:
    if kind == "operators":
        yield from _operands(thing)
    elif kind == "architectures":
        yield Totals(next(iter(thing.presets), thing.name))
    elif kind == "profiles":
        yield from sample_rows(plugins, train=True)[:1]
        yield from _of_rules(thing, plugins)
    elif kind == "quantities":
        yield from (Totals(row.model, {"phase": _phase(thing)}) for row in sample_rows(plugins, _phase(thing) == TRAIN))
    elif kind == "recompute_policies":
        yield from sample_rows(plugins, train=True)[:1]
    elif kind == "optimizers":
        yield from (Update((6, 9)), Update((35,)))
    elif kind == "weight_formats":
        yield Matrix(*MATRIX)
    elif kind in ("outputs", "analyses"):
        yield from sample_rows(plugins)[:1]
    elif kind == "conventions" or (kind == "transforms" and all(o.default is not ... for o in thing.options)):
        yield from sample_rows(plugins)


def _of_rules(profile: Profile, plugins: Plugins) -> Iterator[Totals]:
    """Yields a graph for each operator that a profile has a rule for, if operands can be made up: that operator on
    parameters, so that each has a gradient."""
    for name in dict.fromkeys((*profile.expand, *profile.saves, *profile.backward)):
        operator = plugins.operators.get(name)
        for row in _operands(operator) if operator is not None else ():
            b = Builder(f"{name} alone", plugins.operators)
            try:
                operands = [b.parameter(f"operand_{index}", spec.shape) for index, spec in enumerate(_specs(row))]
                made = b.apply(name, *operands)
                graph = b.graph(*(made if isinstance(made, tuple) else (made,)))
                account(graph, phase=TRAIN, plugins=plugins)
            except Exception:  # without the profile, too: it needs attributes, or other sizes or dtypes
                continue
            yield Totals(graph)


def _phase(quantity: Quantity) -> str:
    return quantity.phase.partition(" ")[0] or "forward"


def _operands(operator: Operator) -> Iterator[Row]:
    """Yields a row with a number for each dimension of the signature, if the operator takes such operands."""
    if any(default is REQUIRED for default in operator.attributes.values()):
        return
    names = dict.fromkeys(name for term in operator.signature.inputs for name in term.names)
    numbers = dict(zip(names, SIZES[2:], strict=False))
    if len(numbers) < len(names):
        return
    shapes = []
    for term in operator.signature.inputs:
        loose: tuple[int, ...] = SIZES[:2] if term.ellipsis is True else ()
        if isinstance(term.ellipsis, str):
            loose = (numbers[term.ellipsis],)
        shapes.append((*(numbers[n] for n in term.front), *loose, *(numbers[n] for n in term.back)))
    row = Row(shapes)
    try:
        operator.apply([*_specs(row)], {})
    except (ShapeError, ConfigError):
        return
    except Exception:  # the contract's tests say what it is
        pass
    yield row


def _specs(row: Row) -> Iterator[Any]:
    from graphacct.testing.rows import sized

    yield from sized(row).at({})[0]
