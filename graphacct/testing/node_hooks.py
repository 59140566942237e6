"""The contract of a plugin's hooks that register nothing: costs and styles of nodes, what a library measures."""

from __future__ import annotations

from types import ModuleType
from typing import Any, ClassVar
from unittest import SkipTest

from graphacct.errors import GraphacctError
from graphacct.hooks.manager import Plugins
from graphacct.tensors import TensorSpec
from graphacct.testing.totals import ModelContract

COST, STYLE = "graphacct_node_cost", "graphacct_node_style"
STRANGERS: dict[str, dict[str, Any]] = {
    "graphacct_measure_reference": {
        "function": "no_such_framework.function",
        "operands": (TensorSpec((2, 3)),),
        "attributes": {},
    },
    "graphacct_measure_class": {
        "config": {"model_type": "no-such-model"},
        "workload": {"batch": 1, "seq_len": 2, "attention": "eager", "dtype": "float32"},
    },
}
"""What no plugin knows, so that it must be left to others."""


class NodeHooksContract(ModelContract):
    """What holds for `graphacct_node_cost`, `graphacct_node_style`, `graphacct_measure_reference` and
    `graphacct_measure_class`. A subclass sets `plugin`, the module, and `rows`; figures of the rows are those with the
    plugin.

    Attributes:
        plugin: The plugin's module.
    """

    noun = "plugin"
    plugin: ClassVar[ModuleType | None] = None

    @classmethod
    def thing(cls) -> Any:
        """Returns the module."""
        assert cls.plugin is not None, f"{cls.__name__} names no plugin: write `plugin = …`, the module, into the class"
        return cls.plugin

    @classmethod
    def in_use(cls) -> Plugins:
        """Returns the installed plugins and this one."""
        return cls._in_use(None)

    def name(self) -> str:
        """Returns the module's name."""
        return str(getattr(self.thing(), "__name__", "?"))

    def test_nodes_have_costs(self) -> None:
        """With the plugin every node still has a cost, which is a Cost."""
        self._needs(COST)
        for row in self.rows:
            try:
                self.check_costed(row, self.account(row, unknown="report"))
            except GraphacctError as error:
                self.fail(
                    f"{row} raises {error}", f"{COST} returns a graphacct.Cost, or None to leave a node to others."
                )

    def test_blocks_cost_what_they_cost_written_out(self) -> None:
        """It sees a node of a block as each of its repetitions."""
        self._needs(COST)
        for row in self.rows:
            self.check_folded(row)

    def test_symbols_agree_with_ints(self) -> None:
        """Costs with a symbol as the batch are formulas whose values are the ints'."""
        self._needs(COST)
        for row in self.rows:
            self.check_symbols(row, {"batch": (2, 3)})

    def test_costs_never_fall_when_the_batch_grows(self) -> None:
        """More of the same is at least as much work."""
        self._needs(COST)
        for row in self.rows:
            self.check_growth(row, "batch", (1, 2, 5))

    def test_styles_are_attributes_of_graphviz(self) -> None:
        """The style of a node, with and without its cost, is None or texts by name."""
        hook = self._needs(STYLE)
        for row in self.rows:
            for record in self.account(row).annotated.costs:
                for cost in (record, None):
                    try:
                        found = hook(node=record.node, cost=cost)
                    except Exception as error:
                        what = "without a cost " if cost is None else ""
                        self.fail(
                            f"the style of {record.node.name!r} {what}raises {type(error).__name__}: {error}",
                            "cost is None for a node that nothing costs: return a dictionary of texts, or None.",
                        )
                    for style in found:
                        if not isinstance(style, dict) or not all(
                            isinstance(t, str) for t in (*style, *style.values())
                        ):
                            self.fail(
                                f"the style of {record.node.name!r} is {style!r}",
                                'Return texts by name: {"shape": "hexagon"}, or None.',
                            )

    def test_what_it_does_not_know_is_left_to_others(self) -> None:
        """Asked to measure a function or a class of another library, it returns None."""
        for name, arguments in STRANGERS.items():
            if not hasattr(self.thing(), name):
                continue
            try:
                found = self._only(name)(**arguments)
            except Exception as error:
                self.fail(
                    f"{name} raises {type(error).__name__} of what it does not know: {error}",
                    "Return None for another library's, so that the next plugin is asked.",
                )
            if found is not None:
                self.fail(f"{name} measures what it does not know: {found!r}", "Return None for another library's.")

    def _needs(self, name: str) -> Any:
        if not hasattr(self.thing(), name):
            raise SkipTest(f"it has no {name}")
        return self._only(name)

    def _only(self, name: str) -> Any:
        plugins = self.in_use()
        others = [plugin.module for plugin in plugins.loaded if plugin.module is not self.thing()]
        return plugins.manager.subset_hook_caller(name, remove_plugins=others)

    def test_rows_state_the_totals(self) -> None:
        """Each row's figures are the report's, for a plugin that costs nodes."""
        self._needs(COST)
        super().test_rows_state_the_totals()
