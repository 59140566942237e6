"""Stored weights against a checkpoint: the tensors of each quantised matrix, and their bytes all together.

Libraries name and pack the tensors of a matrix in their own ways, so that shapes cannot be compared one by one: what is
compared is what a matrix takes. Experts that the model has in one parameter are modules of their own in most files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import attrs

from graphacct.dims import Dim
from graphacct.graph.graph import Parameter
from graphacct.models.module_patterns import EXPERTS
from graphacct.tensors import TensorSpec

FILE_ALONE = re.compile(r"quant_state\.bitsandbytes__\w+$|weight_format$")
"""Names of what bitsandbytes writes beside the tensors, in a file alone."""
MEMORY_ALONE = ("offset",)
"""Tensors that a library has in memory and writes elsewhere."""


@attrs.frozen
class StoredComparison:
    """A stored parameter and the checkpoint's tensors of it.

    Attributes:
        parameter: The parameter.
        names: The tensors.
        bytes: What they take, without what is in files alone.
        expected: What the parameter takes by its format.
    """

    parameter: Parameter
    names: tuple[str, ...]
    bytes: Dim
    expected: Dim


def stored_tensors(parameters: Iterable[Parameter], found: Mapping[str, TensorSpec]) -> list[StoredComparison]:
    """Returns the stored parameters whose tensors a checkpoint has. One of a format that is a dtype is not among
    them, and neither is one that the checkpoint has in another form or under another name."""
    by_scope: dict[str, list[str]] = {}
    for name in found:
        parts = name.split(".")
        for end in range(1, len(parts)):
            by_scope.setdefault(".".join(parts[:end]), []).append(name)
    compared = []
    for parameter in parameters:
        stored = parameter.stored
        if stored is None or stored.format.dtype or parameter.tied_to:
            continue
        module = parameter.name.removesuffix(".weight")
        scope = module.rpartition(".")[0]
        pattern = _pattern(module)
        names = [name for name in by_scope.get(scope, ()) if pattern.fullmatch(name)]
        plain = len(names) == 1 and names[0] == parameter.name and len(stored.format.tensors) > 1
        if not names or plain:
            continue
        unwritten: Dim = sum(
            item.of(stored.rows, stored.columns) for item in stored.format.tensors if item.name in MEMORY_ALONE
        )
        total = sum(found[name].bytes for name in names if not FILE_ALONE.search(name))
        compared.append(StoredComparison(parameter, tuple(names), total, stored.bytes - unwritten * stored.matrices))
    return compared


def _pattern(module: str) -> re.Pattern[str]:
    """Returns what the names of a module's tensors match: `module.qweight`, `module_blocks`, and those of the single
    experts' modules."""
    scope, _, last = module.rpartition(".")
    own = rf"{re.escape(module)}(\.(?!bias$).+|_(?!bias$)\w+)"
    if not scope.endswith("experts") or last not in EXPERTS:
        return re.compile(own)
    single = "|".join(name for names in EXPERTS[last] for name in names)
    return re.compile(rf"{own}|{re.escape(scope)}\.\d+\.({single})\.(?!bias$).+")
