"""Selection: which parameters a training step trains."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphacct.errors import ConfigError, brief
from graphacct.graph.globs import closest, matching, names, written_out
from graphacct.graph.graph import Graph, Node, Parameter


def selected(recompute: str, freeze: Sequence[str]) -> dict[str, str]:
    """Returns the options `recompute` and `freeze` as reports show them, each only if it is in use."""
    terms = {"recompute": recompute if recompute != "none" else "", "freeze": " ".join(freeze)}
    return {name: text for name, text in terms.items() if text}


def frozen(graph: Graph, globs: Sequence[str]) -> tuple[Graph, Callable[[Parameter], bool]]:
    """Returns the graph, unrolled if a glob names single layers, and a function that says which parameters are trained.

    Parameters that share storage are frozen together. Raises ConfigError, which suggests the closest name, for a glob
    that matches no parameter.
    """
    globs = (globs,) if isinstance(globs, str) else globs
    if not globs:
        return graph, lambda parameter: parameter.trainable
    graph = written_out(graph, globs, _parameters)
    known = names(graph, _parameters)
    for glob in globs:
        if not matching(glob, known):
            raise ConfigError(f"freeze {brief(glob)} matches no parameter{closest(glob, known)}")
    found = freezing(graph, globs)
    return graph, lambda parameter: parameter.trainable and (parameter.tied_to or parameter.name) not in found


def check_stored(graph: Graph, trained: Callable[[Parameter], bool]) -> None:
    """Raises ConfigError if a parameter is trained that is stored in another form than its dtype, such as 4 bits: an
    optimizer's step would have nothing to add to."""
    found: dict[str, tuple[str, str]] = {}
    for node in graph.walk():
        for parameter in node.parameters:
            if parameter.stored is not None and trained(parameter):
                found[parameter.tied_to or parameter.name] = (parameter.stored.format.name, parameter.spec.dtype)
    if not found:
        return
    name, (form, dtype) = next(iter(found.items()))
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    raise ConfigError(
        f"weights {form!r} are not trained: {name!r}{more} would need a gradient, and an update is too small for their "
        "steps\ntrain adapters beside them with lora='16:all-linear', leave them as they are with freeze='*', or train "
        f"them unpacked with weights={dtype!r}"
    )


def freezing(graph: Graph, globs: Sequence[str]) -> dict[str, str]:
    """Returns the storages of parameters that globs freeze, and by which glob."""
    if not globs:
        return {}
    known = names(graph, _parameters)
    storage = {p.name: p.tied_to or p.name for node in graph.walk() for p in node.parameters}
    return {storage[name]: glob for glob in reversed(globs) for name in matching(glob, known)}


def _parameters(node: Node) -> list[str]:
    return [parameter.name for parameter in node.parameters]
