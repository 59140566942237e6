"""A graph with blocks against the same graph written out: every figure of every row."""

from __future__ import annotations

import itertools
from typing import Any

import attrs

import graphacct
from graphacct import Graph, Report
from graphacct.explanations.saved_bytes import saved_rows
from graphacct.footprint.liveness import live_bytes
from graphacct.footprint.memory import Memory
from graphacct.graph.paths import indexed, pattern
from graphacct.hooks.manager import default

GATHERING = [name for name, operator in default().operators.items() if operator.stacks]
NOT_FIGURES = ("timeline", "live_at_peak", "workload", "coverage", "peak_at")


def differences(graph: Graph, **options: Any) -> list[str]:
    """What a graph's figures are and what those of it written out are, where they differ."""
    folded, flat = figures(graph, **options), figures(graph.unroll(), **options)
    return [
        f"{name}: folded {folded.get(name)}, written out {flat.get(name)}"
        for name in dict.fromkeys((*folded, *flat))
        if folded.get(name) != flat.get(name)
    ]


def figures(graph: Graph, **options: Any) -> dict[str, Any]:
    """All figures of a step, by what they are: those of the report's rows, of the memory and of its timeline."""
    training = graph.workload["phase"] == "train"
    report = graphacct.account(graph, **(options if training else {}))
    found: dict[str, Any] = {f"total {name}": value for name, value in report.total.items()}
    for kind, rows in (("scope", report.by_scope), ("operator", report.by_operator)):
        for row in rows:
            if row.operator in GATHERING:
                assert not any(row.figures), f"gathering what repetitions stacked up costs nothing: {row}"
                continue
            found[f"{kind} {row.path} is"] = (row.operator, row.repeat, row.share)
            found |= {f"{kind} {row.path} {name}": value for name, value in row.values.items()}
    for record in report.annotated.costs:
        levels = [range(first, first + n) for first, n in zip(record.starts, record.repeats, strict=True)]
        for parameter in record.node.parameters:
            for indices in itertools.product(*levels[: parameter.name.count("*")]):
                name, tied_to = indexed(parameter.name, indices), indexed(parameter.tied_to, indices)
                found.setdefault(f"tensor {name}", attrs.evolve(parameter, name=name, tied_to=tied_to))
    found["tensors"] = sum(row.count for row in report.by_parameter)
    if training:  # the memory of the report's own run
        return found | memory_figures(graphacct.memory(report)) | run_figures(report)
    return found | memory_figures(graphacct.memory(graph, phase=graph.workload["phase"], **options))


def run_figures(report: Report) -> dict[str, Any]:
    """What the explanations of saved bytes add up to; the most that is alive after each node's kernels in a step that
    starts without gradients, and at its end."""
    found: dict[str, Any] = {}
    run = report.annotated.activations
    for name, rows in saved_rows(run).items():
        key = f"explained {pattern(name)} saved_bytes"
        found[key] = found.get(key, 0) + sum(row.total for row in rows)
    fresh = live_bytes(run.schedule, run.saved, run.backward, fresh=True)
    found["at the end"] = (*run.live_bytes[-1:], *fresh[-1:])
    for call, alive in zip((*run.schedule.calls, *run.backward.calls), fresh, strict=True):
        name = f"fresh {call.run} {pattern(call.node.name)} {call.name}"
        found[name] = max(found.get(name, 0), alive)
    return found


def memory_figures(memory: Memory) -> dict[str, Any]:
    """The figures of a memory, and for each node, kernel and pass the most that is alive after it and how often it
    runs."""
    parts = attrs.asdict(memory, recurse=False)
    found: dict[str, Any] = {f"memory {key}": value for key, value in parts.items() if key not in NOT_FIGURES}
    for row in memory.timeline:
        name = f"timeline {row.run} {pattern(row.node)} {row.operator}"
        most, times = found.get(name, (0, 0))
        found[name] = (max(most, row.live_bytes), times + row.repeat)
    assert sum(tensor.bytes for tensor in memory.live_at_peak) == memory.peak
    assert memory.fresh_peak <= memory.peak + memory.gradients <= memory.total
    return found
