"""The memory of a training step or of inference, part by part, in bytes.

The peak is the most that is alive while the forward and the backward pass run, kernel by kernel. The allocator's
rounding and fragmentation, the CUDA context and the workspaces of libraries are not modelled (docs/memory.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.account import build, find, find_profile
from graphacct.annotate import AnnotatedGraph, annotate
from graphacct.backward_kernels import NO_BACKWARD_PASS
from graphacct.backward_pass import backward_pass
from graphacct.dims import Dim, maximum, same
from graphacct.errors import ConfigError
from graphacct.graph import Graph, Parameter
from graphacct.kept import kept, savings
from graphacct.kernels import ACTIVATION, TABLE, Schedule, storages
from graphacct.liveness import step_bytes
from graphacct.optimizers import Optimizer, find_optimizer, has_master, state_bytes
from graphacct.paths import instances
from graphacct.plugins import Plugins, default
from graphacct.report import Coverage
from graphacct.residents import Resident, residents
from graphacct.rollup import per_node
from graphacct.schedule import schedule
from graphacct.selection import frozen, recomputed, selected
from graphacct.sharding import shard
from graphacct.tensors import FLOATING
from graphacct.timeline import Moment, largest, moments

FORWARD, TRAIN, PREFILL, DECODE = "forward", "train", "prefill", "decode"
CACHING = (PREFILL, DECODE)


@attrs.frozen
class Memory:
    """The memory of a model on one rank, in bytes.

    Attributes:
        model: The model's name.
        workload: The sizes that it was worked out for; the batch is a rank's own.
        phase: `train`, or a phase without gradients: `forward`, `prefill`, `decode`.
        profile: The execution profile's name.
        optimizer: Its name; empty for a forward pass.
        master: `fp32` where parameters have a float32 copy, or `none`.
        dp: Data-parallel ranks.
        zero: The ZeRO stage.
        parameters: Of the parameters, each storage once.
        buffers: Of what is saved or made with the model and not trained: running statistics, rotary tables.
        inputs: Of what enters the graph: token ids, pixels, targets.
        gradients: Of the gradients, in the parameters' dtype.
        optimizer_state: Of the optimizer's state, with master copies.
        saved_activations: Of what the backward pass needs of the forward pass, at its end.
        saved_weight_copies: Of those, the copies of parameters that a profile with casts makes in another dtype.
        forward_peak: The most bytes of activations alive during the forward pass, what is kept among them, and the
            cache.
        backward_peak: The most during the backward pass: activations, their gradients, temporaries, and the new
            gradient of a parameter until it has been added to the gradients, which have their own line; 0 without one.
        peak: The larger of the two.
        fresh_peak: The most bytes alive beside parameters, inputs and the optimizer's state in a step that starts
            without gradients, where each parameter's is made in the backward pass and stays.
        kv_cache_bytes: Of the cache's keys and values when the phase ends, of all sequences, part of the peak; 0
            without a cache.
        kv_bytes_per_token: What one more token of one sequence adds to the cache, while no window is full; in a phase
            without a cache, what it would add in one with. None where that is not known: the architecture has no
            prefill, or the graph is a finished one.
        total: Parameters, buffers, inputs, gradients, optimizer's state and the peak: the most that is alive at once in
            a step that adds to gradients which are there from the start, no less than in one that starts without.
        peak_at: The node where the peak stands; empty where sizes are symbols.
        peak_in: Whether that is in the `forward` or the `backward` pass, or in a `recompute`.
        live_at_peak: What is alive there, the largest first; empty where sizes are symbols.
        timeline: The kernels in order, with what is alive after each.
        coverage: How many nodes have an operator, and which have none: those nodes' parameters are in no sum.
    """

    model: str
    workload: Mapping[str, Any]
    phase: str
    profile: str
    optimizer: str
    master: str
    dp: int
    zero: int
    parameters: Dim
    buffers: Dim
    inputs: Dim
    gradients: Dim
    optimizer_state: Dim
    saved_activations: Dim
    saved_weight_copies: Dim
    forward_peak: Dim
    backward_peak: Dim
    peak: Dim
    fresh_peak: Dim
    kv_cache_bytes: Dim
    kv_bytes_per_token: Dim | None
    total: Dim
    peak_at: str
    peak_in: str
    live_at_peak: tuple[Resident, ...]
    timeline: tuple[Moment, ...]
    coverage: Coverage

    def __str__(self) -> str:
        from graphacct.render.memory import text

        return text(self)


def memory(
    model: str | os.PathLike[str] | Graph,
    *,
    phase: str | None = None,
    optimizer: str = "",
    master: str = "",
    dp: int = 1,
    zero: int = 0,
    profile: str = "",
    freeze: Sequence[str] = (),
    recompute: str = "none",
    unknown: str = "error",
    plugins: Plugins | None = None,
    **options: Any,
) -> Memory:
    """The memory of a model on one rank.

    Args:
        model: As for `build`, which takes the `options`. A finished graph is taken as it is.
        phase: `train` (the default, but for a finished graph with a cache); `forward`, `prefill` and `decode` keep
            nothing for a backward pass and have no gradients.
        optimizer: A key of `graphacct.optimizers.OPTIMIZERS`; adamw unless given.
        master: `fp32` or `none`: whether parameters have a float32 copy; unless given, those of 16 bits have.
        dp: Data-parallel ranks; the batch is that of one rank.
        zero: The ZeRO stage, 0 to 3.
        profile: The execution profile; the first that is registered unless given (torch-eager-cuda).
        freeze: Globs of the parameters that are not trained: they have no gradient and no state.
        recompute: What is run again in the backward pass: `none`, `full`, `selective` or a glob of nodes.
        unknown: What becomes of a node whose operator is not registered: `error`, or `report`: its outputs are
            counted, its parameters and what it keeps are not, and the coverage names it.

    Raises UnknownNameError for a name that is not known, ConfigError for a value that no run can have.
    """
    plugins = plugins or default()
    built, phase = _graph(model, phase, plugins, options)
    training = phase == TRAIN
    if not training and (optimizer or master or freeze or recompute != "none"):
        raise ConfigError("optimizer, master, freeze and recompute are of a training step alone: leave them out")
    rule = find_optimizer(optimizer or "adamw")
    kernels = find_profile(profile, plugins)
    graph, trained = frozen(built, freeze)
    again = recomputed(graph, recompute, plugins.operators)
    annotated = annotate(graph, unknown=unknown, plugins=plugins)
    parameters, gradients, state, buffers, copies = _weights(annotated, rule, master, trained if training else _nothing)
    part = shard(parameters, gradients, state, dp, zero)

    operators = plugins.operators
    steps = schedule(graph, operators, kernels, trained if training else _nothing, lambda node: node.name in again)
    saving = list(savings(steps))
    keeping = [item for item in kept(steps, saving) if item.storage.kind == ACTIVATION]
    back = backward_pass(steps, saving, operators, kernels) if training else NO_BACKWARD_PASS
    alive = step_bytes(steps, keeping, back)
    saved = sum(item.bytes for item in keeping)
    count = len(steps.steps)
    forward_peak, backward_peak = largest(alive[:count]), largest(alive[count:])
    peak = maximum(forward_peak, backward_peak)
    fresh_peak = largest(step_bytes(steps, keeping, back, fresh=True)) if training else peak
    at = alive.index(peak) if alive and all(type(value) is int for value in alive) else None
    timeline = moments(steps, back, alive)
    buffers = buffers + _tables(steps)
    inputs = sum(value.spec.bytes for value in graph.inputs)
    cached = per_node("kv_cache_bytes", annotated, plugins)
    caching = {name for name, size in cached.items() if not same(size, 0)}
    uncosted = tuple((node.name, node.operator) for node in annotated.uncosted)
    return Memory(
        graph.name,
        {**graph.workload, **selected(recompute, freeze)},
        phase,
        kernels.name,
        rule.name if training else "",
        "fp32" if copies else "none",
        dp,
        zero,
        part.parameters,
        buffers,
        inputs,
        part.gradients,
        part.optimizer_state,
        saved,
        sum(item.bytes for item in keeping if item.storage.copy_of),
        forward_peak,
        backward_peak,
        peak,
        fresh_peak,
        sum(cached.values()),
        _per_token(annotated, model, plugins, options),
        part.parameters + buffers + inputs + part.gradients + part.optimizer_state + peak,
        "" if at is None else timeline[at].node,
        "" if at is None else timeline[at].run,
        () if at is None else residents(steps, at, keeping, caching, back),
        timeline,
        Coverage(len(annotated.costs) - len(uncosted), len(annotated.costs), uncosted),
    )


def _graph(
    model: str | os.PathLike[str] | Graph, phase: str | None, plugins: Plugins, options: Mapping[str, Any]
) -> tuple[Graph, str]:
    """The model's graph for the phase, a training step unless said; one that is finished is taken as it is."""
    if not isinstance(model, Graph) and find(os.fspath(model), plugins) is not None:
        phase = phase or TRAIN
        return build(model, plugins=plugins, phase=phase, **options), phase
    graph = build(model, plugins=plugins, **options)
    own = graph.workload.get("phase", FORWARD)
    phase = phase or (own if own in CACHING else TRAIN)
    if phase != own and (phase, own) != (TRAIN, FORWARD):
        raise ConfigError(f"{graph.name!r} is a finished graph of the phase {own!r}, which has no phase {phase!r}")
    return graph, phase


def _per_token(
    annotated: AnnotatedGraph, model: str | os.PathLike[str] | Graph, plugins: Plugins, options: Mapping[str, Any]
) -> Dim | None:
    """What one more token of one sequence adds to the cache; of a model without one here, in a prefill of one token."""
    if annotated.graph.workload.get("phase") in CACHING:
        return sum(per_node("kv_bytes_per_token", annotated, plugins).values())
    found = None if isinstance(model, Graph) else find(os.fspath(model), plugins)
    if found is None or PREFILL not in found[0].phases:
        return None
    sizes = {name: options[name] for name in ("set", "dtype") if name in options}
    try:
        graph = build(model, plugins=plugins, phase=PREFILL, seq_len=1, **sizes)
    except ConfigError:  # a family may have members without one, such as an encoder alone
        return None
    return sum(per_node("kv_bytes_per_token", annotate(graph, unknown="report", plugins=plugins), plugins).values())


def _nothing(parameter: Parameter) -> bool:
    """Without gradients no parameter is trained."""
    return False


def _weights(
    annotated: AnnotatedGraph, rule: Optimizer, master: str, trained: Callable[[Parameter], bool]
) -> tuple[Dim, Dim, Dim, Dim, bool]:
    """Bytes of the parameters, their gradients, the optimizer's state and the buffers, each storage once; and whether
    any parameter has a master copy."""
    parameters: Dim = 0
    gradients: Dim = 0
    state: Dim = 0
    buffers: Dim = 0
    copies = False
    for record in annotated.costs:
        for item in record.owned:
            count = instances(item.name, record.repeats)
            size = item.spec.bytes * count
            if item.buffer:
                buffers = buffers + size
                continue
            parameters = parameters + size
            if trained(item) and item.spec.dtype in FLOATING:
                gradients = gradients + size
                state = state + state_bytes(rule, item, master) * count
                copies = copies or has_master(item.spec, master)
    return parameters, gradients, state, buffers, copies


def _tables(steps: Schedule) -> Dim:
    """Bytes of the constants that are made with the model."""
    tensors = (tensor for step in steps.steps for tensor in step.outputs)
    return sum(storage.bytes * storage.weight for storage in storages(tensors) if storage.kind == TABLE)
