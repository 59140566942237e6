"""Recomputation: the forward kernels that the backward pass runs again, and the copies of storages that they make."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence

import attrs

from graphacct.execution.kernels import ACTIVATION, RECOMPUTE, KernelCall, Schedule, Storage, storages
from graphacct.execution.saved_storages import SavedUse, saved_by
from graphacct.execution.tape import Tape, with_copies


@attrs.frozen(eq=False, repr=False)
class RecomputedRegion:
    """A region after it has run again.

    Attributes:
        uses: What each of its calls saves, by the call's position.
        copies: The new storage for each one that the region's calls made in the forward pass.
        taken: The positions of the calls that did not run, because their outputs were saved.
    """

    uses: Mapping[int, Sequence[SavedUse]]
    copies: Mapping[Storage, Storage]
    taken: Collection[int] = ()


NOT_RECOMPUTED = RecomputedRegion({}, {})


def recompute_region(
    tape: Tape, schedule: Schedule, region: Sequence[int], saved: Mapping[int, Sequence[SavedUse]]
) -> RecomputedRegion:
    """Runs the calls of a region again, up to the last one that saves something.

    torch's checkpoint runs the region's function again when the backward pass asks for the first saved tensor, and
    stops as soon as all of them are there. So the whole region runs before its first gradient, but for its tail:

        forward      x -> linear -> h -> relu -> r -> linear -> y          (region: all three; x is saved)
        run again    h = linear(x), r = relu(h)                            (relu saves r, the second linear saves r)

    The second linear saves only operands, r and its weight, which are there when it starts: it is not run. If it
    saved its output y, it would run; if it saved a statistic of its own, it would run and its output be dropped.

    Every storage that the region made has a copy, with the life of a storage of the backward pass. A copy lives to
    the last recomputed call that touches it, to the end of its scope if the forward pass holds it in a variable, and
    longer if a call saves it: until the gradients of that call are computed (`Tape.free`).

    A call whose outputs were `saved` in the forward pass does not run: its readers take those. Of a norm, a product
    whose output is saved, and a GELU, the norm runs, the product saves the copy of the norm's output, and the GELU
    reads the product's saved output.
    """
    calls = [(position, schedule.calls[position]) for position in region]
    uses = {position: list(saved_by(call, position)) for position, call in calls}
    last = max((position for position in region if uses[position]), default=-1)
    made = _made(calls).difference(*(storages(call.outputs) for _, call in calls if call.output_saved))
    copies: dict[Storage, Storage] = {}
    taken: list[int] = []
    ends: dict[int, int] = {}  # by position: the index of the last call of the tape when it had run
    for position, call in calls:
        if position > last:
            break
        outputs = set(storages(call.outputs))
        touched = storages((*call.outputs, *call.operands))
        own = [use.storage for use in uses[position] if use.storage not in touched]
        stops_early = position == last and not any(use.storage in outputs for use in uses[position])
        if call.output_saved:
            there = {use.name: use.storage for use in saved.get(position, ()) if use.storage not in touched}
            copies.update((use.storage, there[use.name]) for use in uses[position] if use.storage in own)
            ends[position] = tape.now
            if not stops_early:
                taken.append(position)
            continue
        runs = not stops_early or bool(own)
        index = tape.now + 1 if runs else tape.now
        if not stops_early:
            for storage in touched:
                if storage in made and storage.kind == ACTIVATION:
                    if storage not in copies:
                        copies[storage] = tape.allocate(storage, index, storage.owner)
                    tape.deaths[copies[storage]] = index
        for storage in own:
            if storage in copies:  # the copy of an overwritten tensor, which its own call has made
                continue
            copies[storage] = tape.allocate(storage, index, storage.owner)
        if runs:
            results = () if stops_early else with_copies(call.outputs, copies)
            operands = with_copies(call.operands, copies)
            tape.calls.append(attrs.evolve(call, operands=operands, outputs=results, run=RECOMPUTE, position=position))
        ends[position] = tape.now
    places = list(ends)  # in order, as the ends are
    for storage, copy in copies.items():
        for until in tape.holds.get(storage, ()):
            before = bisect_right(places, until)
            tape.deaths[copy] = max(tape.deaths[copy], ends[places[before - 1]] if before else -1)
    # a saved output that took the place of a run is its readers' alone from now on
    tape.free([use for position in taken for use in saved.get(position, ()) if use.storage.kind == ACTIVATION])
    uses_again = {position: [_copy(use, copies) for use in found] for position, found in uses.items()}
    return RecomputedRegion(uses_again, copies, taken)


def _made(calls: Sequence[tuple[int, KernelCall]]) -> set[Storage]:
    """Returns the storages that a region's calls make, without those that one of them reads before: those come from
    outside."""
    made: set[Storage] = set()
    outside: set[Storage] = set()
    for _, call in calls:
        outside.update(storage for storage in storages(call.operands) if storage not in made)
        made.update(storages(call.outputs))
    return made - outside


def _copy(use: SavedUse, copies: Mapping[Storage, Storage]) -> SavedUse:
    (tensor,) = with_copies((use.tensor,), copies)
    return attrs.evolve(use, storage=copies.get(use.storage, use.storage), tensor=tensor)
