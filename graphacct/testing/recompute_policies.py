"""The contract of a recompute policy."""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct.errors import GraphacctError
from graphacct.phases import TRAIN
from graphacct.testing.totals import ModelContract, Totals
from graphacct.training.recompute import RecomputePlan, RecomputePolicy, recompute_plan

UNCHANGED = ("forward_flops", "input_grad_flops", "weight_grad_flops", "params")
"""What recomputation leaves as it is."""


class RecomputePolicyContract(ModelContract):
    """What holds for every recompute policy. A subclass sets `recompute_policy` and `rows`, whose models are trained;
    `recompute_flops` and `saved_bytes` are the figures that it decides about.

    Attributes:
        recompute_policy: The policy, or its name.
        may_save_more: Why it may save more bytes than a step without recomputation; empty if it does not.
    """

    kind = "recompute_policies"
    noun = "recompute_policy"
    recompute_policy: ClassVar[RecomputePolicy | str]
    may_save_more: ClassVar[str] = ""

    def options(self, row: Totals) -> dict[str, Any]:
        """Returns the row's options: a training step under this policy."""
        return {"phase": TRAIN, **row.options, "recompute": self.thing().name}

    def test_it_says_what_it_does(self) -> None:
        """`graphacct list recompute-policies` has its sentence."""
        self.check_sentence()

    def test_it_decides_about_nodes_that_exist(self) -> None:
        """Each node is kept, saved or recomputed: what it names is in the graph, and in one of the two sets alone."""
        for row in self.rows:
            graph = self.graph(row)
            try:
                plan: object = recompute_plan(graph, self.thing(), self.in_use().operators)
            except GraphacctError as error:
                self.fail(f"of {row} it says {error}", 'of_node returns "keep", "recompute" or "save".')
            if not isinstance(plan, RecomputePlan):
                self.fail(f"of_graph returns {plan!r} for {row}", "Return graphacct.training.recompute.RecomputePlan.")
            strange = sorted((plan.recompute | plan.saved) - {node.name for node in graph.walk()})
            if strange:
                self.fail(
                    f"it decides about {strange[0]!r}, which {row} does not have", "Take names from graph.walk()."
                )
            both = sorted(plan.recompute & plan.saved)
            if both:
                self.fail(
                    f"{both[0]!r} of {row} is saved and recomputed", "A node whose outputs are saved does not run."
                )

    def test_it_runs_again_and_changes_nothing_else(self) -> None:
        """The passes themselves cost what they cost without it; no more than a forward pass runs again."""
        for row in self.rows:
            ours, plain = self.account(row).total, self.account(row, recompute="none").total
            for name in UNCHANGED:
                if ours[name] != plain[name]:
                    self.fail(
                        f"{name} of {row} is {ours[name]}, and {plain[name]} without it",
                        "A policy says what runs again, and changes no node.",
                    )
            if ours["recompute_flops"] > plain["forward_flops"]:
                self.fail(
                    f"{ours['recompute_flops']} FLOPs of {row} run again, more than its forward pass has",
                    "A node runs again once.",
                )

    def test_it_saves_no_more_than_without_it(self) -> None:
        """Fewer bytes are saved, or as many: else it costs work for nothing."""
        for row in self.rows:
            ours, plain = (self.account(row, **change).total["saved_bytes"] for change in ({}, {"recompute": "none"}))
            if ours > plain and not self.may_save_more:
                self.fail(
                    f"{ours} bytes of {row} are saved, and {plain} without it",
                    'Say "save" only of nodes whose outputs the backward pass needs, or say why: may_save_more = "…".',
                )

    def test_blocks_cost_what_they_cost_written_out(self) -> None:
        """It decides alike for a block and for each of its repetitions, written out."""
        for row in self.rows:
            self.check_folded(row)
