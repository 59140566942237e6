"""Reads a module, as a user gives it, into a graph."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import torch
from torch import nn

from graphacct import Graph, Node, Operator, Parameter, brief, dim_text
from graphacct_torch.building.fakes import Faked, faked
from graphacct_torch.captured import Captured
from graphacct_torch.errors import CaptureError
from graphacct_torch.reading import library
from graphacct_torch.reading.example import example
from graphacct_torch.reading.given import with_inputs
from graphacct_torch.reading.inputs import library_inputs
from graphacct_torch.reading.narrow import in_dtype, torch_dtype
from graphacct_torch.reading.sizes import Sizes
from graphacct_torch.training.step import Source

MOST_SHOWN = 6
"""The inputs that a header names."""
FORMS = "a module, (module, args) or (module, args, kwargs)"


def read(
    model: Any,
    operators: Mapping[str, Operator],
    inputs: Any = None,
    dtype: str = "",
    dynamic: Mapping[str, Any] | None = None,
) -> Graph:
    """Returns the graph of a module that is given with its inputs: `(module, args, kwargs)`.

    Args:
        model: The module, alone or with its inputs.
        operators: The registered operators.
        inputs: Its inputs, in place of those given with it: `(args, kwargs)`; or some of them by name, in place of
            those: tensors, or texts (`2x16:int64`).
        dtype: Its floating-point parameters, buffers and inputs are cast to it first; as they are unless given.
        dynamic: The dimensions of inputs that are symbols, by the symbol's name.

    Raises CaptureError for another form, for inputs that are missing, and for a module that does not run without data.
    """
    module, args, kwargs = given(model)
    own = _adapted(module)
    if not args and not kwargs and _of_library(own):
        args, kwargs = library_inputs(own, Sizes(own.config), inputs)
    else:
        args, kwargs = with_inputs(module, args, kwargs, inputs)
    graph = read_module(type(module).__name__, module, args, kwargs, operators, dtype, dynamic)
    return attrs.evolve(graph, workload={**_inputs(graph), **graph.workload})


def _inputs(graph: Graph) -> dict[str, str]:
    """Returns what a header says of a graph's inputs, each as `--input` takes it."""
    texts = [f"{value.name}={_sides(value.spec.shape)}:{value.spec.dtype}" for value in graph.inputs]
    return {"inputs": _first(texts)} if texts else {}


def _first(texts: list[str]) -> str:
    more = [f"and {len(texts) - MOST_SHOWN} more"] if len(texts) > MOST_SHOWN else []
    return " ".join([*texts[:MOST_SHOWN], *more])


def read_module(
    name: str,
    module: nn.Module,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    operators: Mapping[str, Operator],
    dtype: str = "",
    dynamic: Mapping[str, Any] | None = None,
    joined: Mapping[str, int] | None = None,
) -> Graph:
    """Returns the graph of a module with its inputs, under a name; its layers that repeat are blocks. `joined` says how
    many matrices a checkpoint keeps a parameter as."""
    symbols: list[Any] = []

    @contextlib.contextmanager
    def faking() -> Iterator[Faked]:
        with contextlib.ExitStack() as stack:
            given, named = args, kwargs
            if dtype:
                given, named = stack.enter_context(in_dtype(module, args, kwargs, torch_dtype(dtype)))
            if "transformers" in sys.modules:
                stack.enter_context(library.offline())
                stack.enter_context(library.plain())
            check_inputs(module, given, named)
            if dynamic:
                from graphacct_torch.building.dynamic import dynamic_of
                from graphacct_torch.building.symbolic_sizes import symbolic_sizes

                symbols[:] = [dynamic_of(dynamic, given, named, list(inspect.signature(module.forward).parameters))]
                stack.enter_context(symbolic_sizes(symbols[0].env))
            yield stack.enter_context(faked(module, given, dict(named), symbols[0] if symbols else None))

    def finished(graph: Graph) -> Graph:
        return (_joined(graph, joined) if joined else graph).fold(operators)

    if not dynamic:
        return Source(name, faking, operators, finish=finished).graph()
    from graphacct_torch.building.dynamic import conditions_of, in_symbols

    def sized(captured: Captured) -> Captured:
        conditions[:] = conditions_of(symbols[0])
        decided.update(dict.fromkeys(captured.decided))
        return in_symbols(captured, symbols[0])

    def conditional(graph: Graph) -> Graph:
        told = {"decided_by_data": _first(list(decided))} if decided else {}
        made = finished(graph)
        return attrs.evolve(made, conditions=(*made.conditions, *conditions), workload={**made.workload, **told})

    conditions: list[Any] = []
    decided: dict[str, None] = {}
    return Source(name, faking, operators, finish=conditional, sized=sized).graph()


def _joined(graph: Graph, joined: Mapping[str, int]) -> Graph:
    """Returns a graph of single nodes whose parameters say how many matrices a checkpoint keeps them as."""

    def operand(given: Any) -> Any:
        known = joined.get(given.tied_to or given.name) if isinstance(given, Parameter) else None
        return given if known is None else attrs.evolve(given, joined=known)

    nodes = [
        attrs.evolve(node, inputs=tuple(map(operand, node.inputs))) if isinstance(node, Node) else node
        for node in graph.nodes
    ]
    return attrs.evolve(graph, nodes=tuple(nodes))


def _sides(shape: tuple[Any, ...]) -> str:
    plain = all(isinstance(side, int) for side in shape)
    return ("x" if plain else "×").join(map(dim_text, shape))  # names of symbols have letters too


def _adapted(module: nn.Module) -> nn.Module:
    """Returns the model that peft has adapted, which takes the same inputs; any other module as it is."""
    peft = sys.modules.get("peft")
    return module.get_base_model() if peft is not None and isinstance(module, peft.PeftModel) else module


def _of_library(module: nn.Module) -> bool:
    """Returns whether a module is one of the transformers library, whose configuration says what it takes."""
    transformers = sys.modules.get("transformers")
    return transformers is not None and isinstance(module, transformers.PreTrainedModel)


def given(model: Any) -> tuple[nn.Module, tuple[Any, ...], dict[str, Any]]:
    """Returns the module and its inputs, from what a factory returned or a user gave."""
    parts = model if isinstance(model, tuple) else (model,)
    module = parts[0]
    args = parts[1] if len(parts) > 1 else ()
    kwargs = parts[2] if len(parts) > 2 else {}
    module = getattr(module, "_orig_mod", module)  # what torch.compile was given
    if isinstance(args, torch.Tensor):
        raise CaptureError(f"{brief(type(module).__name__)} is given with a tensor: its inputs are a tuple, as (x,)")
    if len(parts) > 3 or not isinstance(args, (tuple, list)) or not isinstance(kwargs, Mapping):
        raise CaptureError(f"{brief(model)} is not {FORMS}")
    return module, tuple(args), dict(kwargs)


def check_inputs(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raises CaptureError, which names them, for inputs that a module's forward needs and that are not given, and for
    one that it does not have."""
    try:
        signature = inspect.signature(module.forward)
    except (TypeError, ValueError):  # it is not Python
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        bound = (
            signature.bind_partial(*args).arguments if len(args) <= len(signature.parameters) else signature.parameters
        )
        missing = [
            name
            for name, formal in signature.parameters.items()
            if formal.default is formal.empty
            and formal.kind in (formal.POSITIONAL_OR_KEYWORD, formal.KEYWORD_ONLY, formal.POSITIONAL_ONLY)
            and name not in bound
            and name not in kwargs
        ]
        if missing:
            shown = " ".join(f"--input {name}=SHAPE:DTYPE" for name in missing)
            raise CaptureError(
                f"module {type(module).__name__!r} is given no {', '.join(missing)}: its factory may return (module, "
                f"args, kwargs), or add {shown}, such as {example(module)}"
            ) from None
        raise CaptureError(
            f"module {type(module).__name__!r}: {error}: it takes {', '.join(signature.parameters)}"
        ) from None
