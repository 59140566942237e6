"""Names of nodes: the path of the module that makes the call, so that scopes are those of the module.

A module that runs several times, with all its parts, gives its nodes the number of the run as a last part, an index:
`layer.attention.query.0`, `layer.attention.query.1`, `act.0`, `act.1`. So the runs are layers that a block may stand
for. What a module does itself in a loop over layers has their indices (`loops.py`): `add.0`, `add.1`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphacct_torch.calls import CallRecord, VisitRecord
from graphacct_torch.tracing.loops import repetitions


class NodeNames:
    """Gives each name once."""

    def __init__(self, calls: Sequence[CallRecord], visits: Mapping[int, VisitRecord], taken: Iterable[str]) -> None:
        self._visits = visits
        self._taken = set(taken)
        scopes = {call.scope for call in calls}
        self._inner = {scope[:place] for scope in scopes for place, letter in enumerate(scope) if letter == "."}
        self._scopes = scopes | self._inner
        self._numbers: dict[int, int] = {}  # of each run among those of its module
        runs: dict[str, int] = {}
        for number, visit in visits.items():
            self._numbers[number] = runs[visit.scope] = runs.get(visit.scope, -1) + 1
        self._loops = repetitions(calls, visits)
        self._where: CallRecord | None = None
        self._several = {scope for scope, last in runs.items() if last}

    def at(self, call: CallRecord) -> None:
        """Says which call is being added."""
        self._where = call

    def inside(self, word: str) -> str:
        """Returns a name in the module whose call is being added."""
        return self.free(word) if self._where is None else self.of(self._where, word)

    def of(self, call: CallRecord, word: str, whole: bool = False) -> str:
        """Returns a name for what a call makes: the module's path and a word; the path alone if the call is the whole
        of a module without parts, the first time that it runs."""
        scope, visit, index = call.scope, call.visit, self._loops.get(call.position)
        if index is not None and visit in self._visits and scope not in self._inner:
            visit = self._visits[visit].caller  # the repetition of the loop is the number of this run
        run = self._run(visit)
        if index is not None:
            run = f".{index}{run}"
        if whole and scope and scope not in self._inner and scope + run not in self._taken:
            return self.free(scope, run)
        return self.free(f"{scope}.{word}" if scope else word, run)

    def of_input(self, name: str) -> str:
        """Returns the name of an input: the argument's, with `_2`, `_3`, … if a module has it, which keeps it."""
        free, count = name, 1
        while free in self._scopes or free in self._taken:
            count += 1
            free = f"{name}_{count}"
        self._taken.add(free)
        return free

    def free(self, name: str, run: str = "") -> str:
        """Returns a name, with `_2`, `_3`, … when it is taken, and the number of a run."""
        free, count = name + run, 1
        while free in self._taken:
            count += 1
            free = f"{name}_{count}{run}"
        self._taken.add(free)
        return free

    def _run(self, number: int) -> str:
        """Returns the number of the run of the outermost module around a call that runs several times, as a part of a
        name; empty if none does."""
        found = ""
        while (visit := self._visits.get(number)) is not None:
            if visit.scope in self._several:
                found = f".{self._numbers[number]}"
            number = visit.caller
        return found
