"""The contract of an execution profile."""

from __future__ import annotations

from typing import Any, ClassVar

from graphacct.execution.profiles import Profile
from graphacct.phases import TRAIN
from graphacct.testing.totals import ModelContract, Totals
from graphacct.verbs.memory import memory


class ProfileContract(ModelContract):
    """What holds for every profile. A subclass sets `profile` and `rows`, whose models are trained; `saved_bytes` is a
    figure that measurements give.

    Attributes:
        profile: The profile, or its name.
    """

    kind = "profiles"
    noun = "profile"
    profile: ClassVar[Profile | str]

    def options(self, row: Totals) -> dict[str, Any]:
        """Returns the row's options: a training step under this profile."""
        return {"phase": TRAIN, **row.options, "profile": self.thing().name}

    def test_it_says_what_it_is(self) -> None:
        """`graphacct list profiles` has its sentence: the framework, the device, and what is fused."""
        self.check_sentence()

    def test_it_names_operators_that_exist(self) -> None:
        """Each rule is for a registered operator or a kernel of its own."""
        profile = self.thing()
        known = {*self.in_use().operators, *profile.kernels}
        known |= {name for other in self.in_use().profiles.values() for name in other.kernels}  # rules may be shared
        for field in ("expand", "saves", "casts", "backward"):
            for name in getattr(profile, field):
                if name not in known:
                    self.fail(
                        f"{field} has a rule for {name!r}, which is no operator", "Mend the name, or register it."
                    )
        for name, operator in profile.kernels.items():
            if operator.name != name:
                self.fail(f"the kernel {name!r} is called {operator.name!r}", "kernels= are by the operator's name.")

    def test_a_step_runs(self) -> None:
        """A training step runs on its kernels; the parts of its memory add up at the peak."""
        for row in self.rows:
            self.check_costed(row, self.account(row, unknown="report"))
            found = memory(row.model, plugins=self.in_use(), **self.options(row))
            alive = sum(tensor.bytes for tensor in found.live_at_peak)
            if alive != found.peak:
                self.fail(
                    f"the tensors alive at the peak of {row} have {alive} bytes, and the peak is {found.peak}",
                    "A rule must make its tensors through the Expansion or the Recorder that it is given.",
                )

    def test_blocks_cost_what_they_cost_written_out(self) -> None:
        """A step with blocks saves and peaks as the same step written out does; a recording is of one graph."""
        if self.thing().recorded:
            return
        for row in self.rows:
            self.check_folded(row)

    def test_memory_never_falls_when_the_batch_grows(self) -> None:
        """A larger batch saves no fewer bytes."""
        for row in self.rows:
            self.check_growth(row, "batch", (1, 2, 3))
