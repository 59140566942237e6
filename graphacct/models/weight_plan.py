"""Which parameters of a model are stored in which format of weights."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from math import prod
from typing import Any

import attrs

from graphacct.errors import ConfigError
from graphacct.graph.graph import Graph, Node, Parameter
from graphacct.graph.paths import indexed
from graphacct.graph.places import Place
from graphacct.graph.weight_format import StoredWeight, WeightFormat
from graphacct.models.matrices import EMBEDDINGS, LAYERS, OTHERS, Matrix, is_stack, matrices_of, module_name
from graphacct.models.module_patterns import Module, Patterns, modules
from graphacct.models.weight_formats import WeightFormatKind, weight_format
from graphacct.operators.operator import Operator
from graphacct.transforms.rewrite import Replacement, rewrite

ALL = "all"
"""The option of any format that stores the head and embeddings so too."""
MOST_MODULES = 100_000
"""The most modules of one parameter that a plan's patterns are compared with."""


@attrs.frozen
class WeightPlan:
    """Which parameters are stored in which format.

    A pattern is a plain name, a glob (`*.self_attn`), or a regular expression after `re:`, matched at the start of a
    module's name. The others are of the module, of one around it, or of the end or middle of its path (`lm_head`,
    `mlp.gate`). A module is a parameter's name without `.weight`; an expert is named as files do
    (`mlp.experts.0.gate_proj`), or all of them by their parameter (`mlp.experts.gate_up_proj`). Older names stand for
    today's, and the text model of a larger one may have its prefix (`module_patterns.py`).

    Attributes:
        format: The format of all matrices of these `kinds` that nothing below decides; None leaves them in the dtype of
            the computation.
        modules: Pairs of a pattern and a format (None for the dtype of the computation). The first pattern that matches
            a module decides, whatever its kind.
        exceptions: Patterns of the modules that stay in the dtype of the computation, before all `modules`.
        kinds: The kinds of matrices that `format` is for: `layers`, `others`, `routers`, `embeddings`.
        text: How reports show the plan; the format's name unless given.
        fitting: Whether a matrix that is no whole number of blocks stays in the dtype of the computation. Otherwise it
            is an error.
    """

    format: WeightFormat | None = None
    modules: tuple[tuple[str, WeightFormat | None], ...] = ()
    exceptions: tuple[str, ...] = ()
    kinds: tuple[str, ...] = (LAYERS,)
    text: str = ""
    fitting: bool = False

    def __str__(self) -> str:
        return self.text or (self.format.name if self.format else "mixed")


def weight_plan(text: str, kinds: Mapping[str, WeightFormatKind]) -> WeightPlan:
    """Returns the plan of a written form: one format, and `:all` for the head and embeddings too."""
    parts = text.split(":") if isinstance(text, str) else []
    if ALL in parts[1:]:
        parts.remove(ALL)
        found = weight_format(":".join(parts), kinds)
        return WeightPlan(found, kinds=(LAYERS, OTHERS, EMBEDDINGS), text=f"{found.name}:{ALL}")
    return WeightPlan(weight_format(text, kinds))


@attrs.frozen
class Stored:
    """A graph whose parameters are stored as a plan says, the patterns of the plan's `modules` that match none, and the
    tensors of a file that are no parameters."""

    graph: Graph
    unmatched: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def stored_as(graph: Graph, plan: WeightPlan, operators: Mapping[str, Operator]) -> Stored:
    """Returns the graph with its parameters stored as a plan says.

    A plan that tells one repetition of a block from another writes the blocks out. Raises ConfigError if no parameter
    is stored so, for a matrix that is no whole number of a format's blocks, and for a plan that tells matrices of one
    parameter apart.
    """
    if plan.format is not None and plan.format.dtype:
        return Stored(_in_dtype(graph, plan.format, plan))
    names = Names.of(plan)
    found = matrices_of(graph, operators)
    decided = {name: _decided(plan, names, name, item, found) for name, item in found.items()}
    if any(len(formats) > 1 for formats in decided.values()):
        graph = graph.unroll(operators)
        found = matrices_of(graph, operators)
        decided = {name: _decided(plan, names, name, item, found) for name, item in found.items()}
    stored: dict[str, StoredWeight] = {}
    for name, formats in decided.items():
        (format_,) = formats
        if format_ is None:
            continue
        matrix = found[name].stored(format_)
        if not plan.fitting or matrix.fits:
            stored[name] = matrix.check(name)
    if not stored and (plan.format is not None or plan.modules):
        raise ConfigError(f"weights {str(plan)!r}: {_nothing(graph, plan)}")

    def replace(node: Node, place: Replacement) -> Any:
        return place.keep([_as_stored(operand, stored) for operand in place.inputs])

    return Stored(rewrite(graph, operators, replace, {"weights": str(plan)}), _unmatched(names, found))


def _nothing(graph: Graph, plan: WeightPlan) -> str:
    """Returns why no parameter is stored as a plan says."""
    if plan.format is None:
        more = f" or as {len(plan.modules) - 1} more patterns say" if len(plan.modules) > 1 else ""
        return f"no matrix of {graph.name!r} is called {plan.modules[0][0]!r}{more}"
    if plan.exceptions:
        return f"its exceptions leave no matrix of {graph.name!r} to store so"
    return (
        f"{graph.name!r} has no matrix of a linear layer in layers that repeat; '{plan}:{ALL}' stores every matrix so"
    )


def _as_stored(operand: Any, stored: Mapping[str, StoredWeight]) -> Any:
    if type(operand) is not Parameter:
        return operand
    found = stored.get(operand.tied_to or operand.name)
    return operand if found is None else attrs.evolve(operand, stored=found)


def _in_dtype(graph: Graph, format_: WeightFormat, plan: WeightPlan) -> Graph:
    """Returns the graph with every floating-point parameter in a dtype."""

    def replace(node: Node, place: Replacement) -> Any:
        return place.keep([_widened(operand, format_) for operand in place.inputs])

    return rewrite(graph, {}, replace, {"weights": str(plan)})


def _widened(operand: Any, format_: WeightFormat) -> Any:
    if type(operand) is not Parameter or operand.buffer or operand.spec.dtype == format_.dtype:
        return operand
    return attrs.evolve(operand, stored=StoredWeight(format_, 1, operand.spec.elements))


@attrs.frozen
class Names:
    """The patterns of a plan, ready to be compared with modules."""

    exceptions: Patterns
    modules: Patterns
    experts: Patterns

    @classmethod
    def of(cls, plan: WeightPlan) -> Names:
        texts = [text for text, _ in plan.modules]
        return cls(Patterns(plan.exceptions), Patterns(texts), Patterns((*plan.exceptions, *texts)))

    def spelled(self, name: str, item: Matrix) -> Iterator[Module]:
        """Yields the modules in files whose matrices a parameter is, as far as the patterns may tell them apart."""
        count = item.matrices // item.joined if type(item.matrices) is int else 1
        return modules(module_name(name), self.experts.experts(count), item.joined)


def _decided(
    plan: WeightPlan, names: Names, name: str, item: Matrix, found: Mapping[str, Matrix]
) -> set[WeightFormat | None]:
    """Returns the formats of a parameter at the indices that its `*`s stand for: one, unless the plan tells them
    apart."""
    default = plan.format if item.kind in plan.kinds else None
    if default is not None and default.experts_alone and item.kind == LAYERS:
        experts = any(other.kind == LAYERS and is_stack(other) for other in found.values())
        default = default if is_stack(item) or not experts else None
    if default is not None and item.rows == 1 and any(each.rows > 1 and not each.padded for each in default.tensors):
        default = None  # a gate of one output: GPTQ and AWQ pack several, and leave it
    if not plan.modules and not plan.exceptions:
        return {default}
    return {_of_parameter(plan, names, spelled, item, default) for spelled in instances(name, item.places)}


def instances(name: str, places: Iterable[Place]) -> Iterator[str]:
    """Yields the names that a parameter's stands for, with the indices of its blocks in place of its `*`s. Raises
    ConfigError for too many."""
    if "*" not in name:
        yield name
        return
    for place in places:
        ranges = []
        for start, repeat in zip(place.starts, place.repeats, strict=True):
            ranges.append(range(start, start + repeat) if type(repeat) is int else range(start, start + 1))
        if prod(map(len, ranges)) > MOST_MODULES:
            raise ConfigError(
                f"{name!r} stands for {prod(map(len, ranges)):,} modules, too many to compare one by one (at "
                f"most {MOST_MODULES:,}): store all alike, without modules or exceptions"
            )
        for indices in product(*ranges):
            yield indexed(name, indices)


def _of_parameter(
    plan: WeightPlan, names: Names, name: str, item: Matrix, default: WeightFormat | None
) -> WeightFormat | None:
    """Returns the format of a parameter. Raises ConfigError if its modules in files have several."""
    formats: dict[WeightFormat | None, str] = {}
    for module in names.spelled(name, item):
        formats.setdefault(_of_module(plan, names, module, default), module.called)
    if len(formats) > 1:
        told = " and ".join(f"{at!r} in {each.name if each else 'its dtype'}" for each, at in [*formats.items()][:2])
        raise ConfigError(
            f"weights {str(plan)!r} store {told}: both are in the parameter {name!r}, which has one format"
        )
    return next(iter(formats))


def _of_module(plan: WeightPlan, names: Names, module: Module, default: WeightFormat | None) -> WeightFormat | None:
    if names.exceptions.first(module) is not None:
        return None
    index = names.modules.first(module)
    return default if index is None else plan.modules[index][1]


def _unmatched(names: Names, found: Mapping[str, Matrix]) -> tuple[str, ...]:
    """Returns the patterns of a plan's `modules` that match no module, those included that another is before."""
    left = [text for index, text in enumerate(names.modules.texts) if index not in names.modules.used]
    if not left:
        return ()
    every = [
        module
        for name, item in found.items()
        for spelled in instances(name, item.places)
        for module in names.spelled(spelled, item)
    ]
    rest = Patterns(left)
    for module in every:
        while (index := rest.first(module)) is not None:
            left.remove(rest.texts[index])
            rest = Patterns(left)
    return tuple(left)
