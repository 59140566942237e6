"""The parts of a report that a question names: the nodes of a role, or of the scopes that a glob matches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from graphacct.costs.columns import total
from graphacct.costs.roles import ROLES, roles
from graphacct.dims import Dim
from graphacct.errors import ConfigError, brief
from graphacct.graph.globs import closest, names, names_single
from graphacct.graph.paths import outward
from graphacct.operators.operator import Operator
from graphacct.reports.report import Report
from graphacct.reports.rows import adder


class Parts:
    """The parts of one report.

    Attributes:
        report: The report.
    """

    def __init__(self, report: Report, operators: Mapping[str, Operator]) -> None:
        """`operators` are those of the report's graph, by name: they say what each is for.

        Raises ConfigError for the report of a generation, which has no one graph.
        """
        report.check_one_step("a part")
        self.report, self.operators = report, operators

    @cached_property
    def role_of(self) -> Mapping[str, str]:
        """The role of each node by its name."""
        return roles(self.report.annotated.graph, self.operators)

    @cached_property
    def by_role(self) -> dict[str, dict[str, Dim]]:
        """The quantities of each role that the model has, repeats included, in the order of the roles. Nodes without a
        cost add nothing."""
        names = [quantity.name for quantity in self.report.quantities]
        combine = adder(self.report.quantities)
        sums: dict[str, tuple[Dim, ...]] = dict.fromkeys(set(self.role_of.values()), (0,) * len(names))
        for name, values in zip(self._costed, self.report.values, strict=True):
            role = self.role_of[name]
            sums[role] = combine(sums[role], values)
        return {role: dict(zip(names, sums[role], strict=True)) for role in ROLES if role in sums}

    def figure(self, name: str, argument: str, absent: Any = None) -> Any:
        """Returns a quantity of all nodes of a role, or within the scopes that a glob matches, each node once.

        Args:
            name: The quantity.
            argument: The role or the glob.
            absent: What to return if the model has no such part.

        Raises ConfigError if the model has no such part and `absent` is None, and for a glob that names single layers.
        """
        quantity = self.report.quantity(name)
        chosen = self._of_role(name, argument) if argument in ROLES else self.of_scopes(argument)
        if isinstance(chosen, ConfigError):
            if absent is None:
                raise chosen
            return absent
        place = [item.name for item in self.report.quantities].index(name)
        rows = zip(self._costed, self.report.values, strict=True)
        return total(quantity, [values[place] for node, values in rows if chosen(node)])

    @cached_property
    def _costed(self) -> tuple[str, ...]:
        """The names of the nodes that `report.values` has rows of."""
        return tuple(record.node.name for record in self.report.annotated.costs if record.cost is not None)

    def _of_role(self, name: str, role: str) -> Callable[[str], bool] | ConfigError:
        if role not in self.role_of.values():
            there = ", ".join(item for item in ROLES if item in self.role_of.values())
            model = brief(self.report.model)
            return ConfigError(f"{name}({role}): {model} has nothing of that role; it has {there}")
        return lambda node: self.role_of.get(node) == role

    def of_scopes(self, glob: str) -> Callable[[str], bool] | ConfigError:
        """Returns the function that says whether a node is within the scopes that a glob matches; if none is, the
        error."""
        graph = self.report.annotated.graph
        known = names(graph, lambda node: (node.name, *outward(node.name)))
        if names_single(glob, known):
            raise ConfigError(f"{brief(glob)} names single layers of {brief(graph.name)}: write * for the index")
        found = {name for name in known if fnmatchcase(name, glob)}
        if not found:
            close = closest(glob, [*known, *ROLES])
            listed = ", ".join(ROLES)
            return ConfigError(f"no scope of {brief(graph.name)} matches {brief(glob)}{close}; or a role: {listed}")
        return lambda node: node in found or any(scope in found for scope in outward(node))
