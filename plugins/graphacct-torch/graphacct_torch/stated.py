"""Costs that a user states: of an operator of torch by its name, or of a function, whose calls are then one node.

torch is not imported here: a plugin without a model may state costs.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import attrs

from graphacct import ConfigError, Work, brief

Formula = Callable[..., Work]


@attrs.define(eq=False)
class StatedCost:
    """What an operator or a function costs, as its user says.

    Attributes:
        of: The operator's name, such as `mylib.scan.default`, or the function's.
        formula: Returns the Work of one call. It asks by name for arguments of the call, or for `out`, what the call
            returns; a tensor is a TensorSpec.
        backward: Likewise for the work of its gradients, all together; None if it has none.
    """

    of: str
    formula: Formula
    backward: Formula | None = None

    def gradient(self, formula: Formula) -> Formula:
        """States the work of the gradients; a decorator."""
        self.backward = formula
        return formula

    def work(self, arguments: Mapping[str, Any]) -> Work:
        """Returns the work of a call with these arguments, `out` among them."""
        return _evaluated(self.of, self.formula, arguments)

    def backward_work(self, arguments: Mapping[str, Any]) -> Work | None:
        """Returns the work of its gradients; None if none is stated."""
        return None if self.backward is None else _evaluated(self.of, self.backward, arguments)


STATED: dict[str, StatedCost] = {}
"""The stated costs of operators, by the names under which torch calls them."""
RECORDING: ContextVar[Any] = ContextVar("RECORDING", default=None)
"""What records the module that is running, `capturing.recorder.Recorder`, which is not imported before there is one."""


def cost(
    of: str | Formula, *, gradient: Formula | None = None, fake: Callable[..., Any] | None = None
) -> Callable[[Any], Any]:
    """Gives an operator of torch, a function or an autograd.Function its cost; a decorator.

    With the name of an operator (`aten.erfinv`, `mylib::scan`) it decorates the formula, and the result takes the
    gradient's: `@scan.gradient`. With a formula it decorates the function, whose calls are then one node; in place of
    one that needs data, as a Triton kernel does, `fake` returns empty tensors like its results.

    A formula asks for arguments of the call by name, a tensor as a TensorSpec, and returns a Work.
    """
    if isinstance(of, str):
        name = of.replace("::", ".")

        def state(formula: Formula) -> StatedCost:
            STATED[name] = StatedCost(name, formula, gradient)
            return STATED[name]

        return state
    if not callable(of):
        raise ConfigError(f"cost({brief(of)}): a cost is of an operator's name, or a function that returns a Work")
    formula = of

    def wrap(target: Any) -> Any:
        whose = getattr(target, "__name__", "function")
        if isinstance(target, type):  # an autograd.Function
            stated = StatedCost(whose, formula, gradient)
            parameters = list(inspect.signature(target.forward).parameters)[1:]  # type: ignore[attr-defined]
            target.apply = _whole(target.apply, stated, parameters, fake)  # type: ignore[attr-defined]
            return target
        stated = StatedCost(whose, formula, gradient)
        return functools.wraps(target)(_whole(target, stated, list(inspect.signature(target).parameters), fake))

    return wrap


def stated_cost(name: str) -> StatedCost | None:
    """Returns the stated cost of an operator; one that is stated without an overload is of all of them."""
    return STATED.get(name) or STATED.get(name.rpartition(".")[0])


def _whole(target: Callable[..., Any], stated: StatedCost, parameters: list[str], fake: Any) -> Callable[..., Any]:
    """Returns a function like `target`, whose calls are one node while a module is captured."""

    def call(*args: Any, **kwargs: Any) -> Any:
        recorder = RECORDING.get()
        if recorder is None:
            return target(*args, **kwargs)
        return recorder.whole(
            target, stated, {**dict(zip(parameters, args, strict=False)), **kwargs}, args, kwargs, fake
        )

    return call


def _evaluated(of: str, formula: Formula, arguments: Mapping[str, Any]) -> Work:
    wanted = inspect.signature(formula).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in wanted.values()):
        given = dict(arguments)
    else:
        given = {name: arguments[name] for name in wanted if name in arguments}
    for name, parameter in wanted.items():
        if name not in given and parameter.default is parameter.empty and parameter.kind is not parameter.VAR_KEYWORD:
            raise ConfigError(
                f"the cost of {of} asks for {name!r}, which is none of its arguments: {', '.join(arguments)}"
            )
    work = formula(**given)
    if not isinstance(work, Work):
        raise ConfigError(f"the cost of {of} returned {brief(work)}; a formula returns graphacct.Work(...)")
    return work
