"""The memory of a training step or of inference, part by part, in bytes.

The peak is the most that is alive while the forward and the backward pass run, kernel by kernel. The allocator's
rounding and fragmentation, the CUDA context and the workspaces of libraries are not modelled (docs/memory.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.costs.annotate import AnnotatedGraph, annotate
from graphacct.costs.coverage import Coverage, coverage
from graphacct.dims import Dim
from graphacct.display import display
from graphacct.errors import ConfigError
from graphacct.footprint.activations import Activations
from graphacct.footprint.activations_of import activations_of
from graphacct.footprint.cache import cached_bytes, token_bytes
from graphacct.footprint.live_tensors import LiveTensor
from graphacct.footprint.timeline import TimelineRow
from graphacct.footprint.weights import Weights, weights
from graphacct.graph.config_keys import ConfigKeys
from graphacct.graph.graph import Graph, Parameter
from graphacct.hooks.manager import Plugins
from graphacct.keywords import check_no_training, separated
from graphacct.models.build import build
from graphacct.models.find import ModelChoice, find_model
from graphacct.models.finished import own_phase, untrainable
from graphacct.models.read_choice import ReadChoice
from graphacct.phases import CACHING, PREFILL, TRAIN
from graphacct.training.options import Training, resolved
from graphacct.training.recompute import NO_RECOMPUTE, recompute_plan
from graphacct.training.selection import check_stored, frozen, selected
from graphacct.training.zero import Sharded, shard

if TYPE_CHECKING:
    from graphacct.footprint.device_fit import DeviceFit


@attrs.frozen
class Memory:
    """The memory of a model on one rank, in bytes.

    Attributes:
        model: The model's name.
        workload: The sizes that it holds for; the batch is that of one rank.
        phase: `train`, or a phase without gradients: `forward`, `prefill`, `decode`.
        profile: The execution profile's name.
        optimizer: Its name; empty for a forward pass.
        master: `fp32` where parameters have a float32 copy, or `none`.
        dp: Data-parallel ranks.
        zero: The ZeRO stage.
        parameters: Of the parameters, each storage once.
        buffers: Of the untrained constants that are made with the model: running statistics, rotary tables.
        inputs: Of the graph's inputs: token ids, pixels, targets.
        gradients: Of the gradients, in the parameters' dtype.
        optimizer_state: Of the optimizer's state, with master copies.
        saved_activations: Of what is saved for the backward pass, at the end of the forward pass.
        saved_weight_copies: Of those, the copies of parameters that a profile with casts makes in another dtype.
        forward_peak: The most bytes of activations alive during the forward pass, those that are saved and the cache
            among them.
        backward_peak: The most during the backward pass: activations, their gradients, temporaries, and the new
            gradient of a parameter until it has been added to the gradients, which have their own line; 0 without one.
        peak: The larger of the two.
        fresh_peak: The most bytes alive beside parameters, inputs and the optimizer's state in a step that starts
            without gradients, where each parameter's is made in the backward pass and stays, whole also where ZeRO
            divides gradients.
        kv_cache_bytes: Of the cache's keys and values when the phase ends, of all sequences, part of the peak; 0
            without a cache.
        kv_bytes_per_token: What one more token of one sequence adds to the cache while no window is full; in a phase
            without a cache, what it would add in a prefill. None if that is unknown: the architecture has no prefill,
            or the model is a finished graph.
        kv_bytes_next_token: What the next token of one sequence adds after those that are in the cache when the phase
            ends: nothing in layers whose window is full. None in a phase without a cache.
        total: Parameters, buffers, inputs, gradients, optimizer's state and the peak: the most that is alive at once in
            a step that adds to gradients which are there from the start; unless ZeRO divides them, no less than in one
            that starts without.
        peak_at: The node where the peak stands; empty if sizes are symbols.
        peak_in: Whether that is in the `forward` or the `backward` pass, or in a `recompute`.
        live_at_peak: What is alive there, the largest first; empty if sizes are symbols.
        timeline: The kernels in order, with what is alive after each.
        peak_phase: Of a generation, the phase of the step that needs the most: `prefill` or `decode`.
        peak_cache_len: Of a generation whose highest step decodes, the tokens in its cache before it; else None.
        coverage: How many nodes have an operator, and which have none: those nodes' parameters are in no sum.
        config_keys: What became of the keys of the model's config.json; None for a model without one.
        inexact: What of a step's saved tensors is known not to equal the model's own code, a sentence each.
        devices: Whether it fits on the devices that were asked for (`on`), and what would fit.
        conditions: What the figures assume of symbols among the sizes, as sympy relations: `seq_len > 1`.
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
    kv_bytes_next_token: Dim | None
    total: Dim
    peak_at: str
    peak_in: str
    live_at_peak: tuple[LiveTensor, ...]
    timeline: tuple[TimelineRow, ...]
    coverage: Coverage
    config_keys: ConfigKeys | None = None
    inexact: tuple[str, ...] = ()
    peak_phase: str = ""
    peak_cache_len: int | None = None
    devices: tuple[DeviceFit, ...] = ()
    conditions: tuple[Any, ...] = ()

    def __str__(self) -> str:
        return str(display("memory.table", self))


def memory(
    model: object,
    *,
    phase: str | None = None,
    unknown: str,
    plugins: Plugins,
    **options: Any,
) -> Memory:
    """Returns the memory of a model on one rank.

    Args:
        model: As for `build`. A finished graph is taken as it is.
        phase: `train` (the default, but for a finished graph with a cache); `forward`, `prefill` and `decode` have no
            backward pass and no gradients.
        unknown: What becomes of a node whose operator is not registered: `error`, or `report`: its outputs are
            counted, its parameters and what it saves are not, and the coverage names it.
        plugins: Those in use.
        options: Those of `build`, and those of `graphacct.training.options.TrainingOptions`: profile, dp and zero in
            every phase, freeze, recompute, optimizer and master in training alone.

    Raises UnknownNameError for a name that is not known, ConfigError for a value that no run can have.
    """
    _, others = separated(options)
    found = find_model(model, plugins, others.get("set") or {})
    run = _run(found, phase, unknown, plugins, options)
    activations, how, part = run.activations, run.how, run.part
    at = activations.peak_position
    cached = cached_bytes(run.annotated, plugins.operators)
    return Memory(
        model=run.graph.name,
        workload={**run.graph.workload, **selected(how.recompute.name, how.freeze)},
        phase=run.phase,
        profile=how.profile.name,
        optimizer=how.optimizer.name if how.optimizer and run.phase == TRAIN else "",
        master="fp32" if run.whole.master else "none",
        dp=how.dp,
        zero=how.zero,
        parameters=part.parameters,
        buffers=run.buffers,
        inputs=run.inputs,
        gradients=part.gradients,
        optimizer_state=part.optimizer_state,
        saved_activations=activations.saved_bytes,
        saved_weight_copies=activations.weight_copy_bytes,
        forward_peak=activations.forward_peak,
        backward_peak=activations.backward_peak,
        peak=activations.peak,
        fresh_peak=activations.fresh_peak,
        kv_cache_bytes=sum(cached.values()),
        kv_bytes_per_token=_per_token(run.annotated, found, plugins, others),
        kv_bytes_next_token=token_bytes(run.annotated, plugins.operators, True) if run.phase in CACHING else None,
        total=run.total,
        peak_at="" if at is None else activations.timeline[at].node,
        peak_in="" if at is None else activations.timeline[at].run,
        live_at_peak=() if at is None else activations.live_tensors(at, cached),
        timeline=activations.timeline,
        coverage=coverage(run.annotated.costs, plugins.operators),
        config_keys=run.graph.config_keys,
        inexact=run.graph.inexact,
    )


def total(model: object, *, phase: str | None = None, unknown: str, plugins: Plugins, **options: Any) -> Dim:
    """Returns the total of `memory` alone, which takes two thirds of its time. The arguments are the same."""
    _, others = separated(options)
    return _run(find_model(model, plugins, others.get("set") or {}), phase, unknown, plugins, options).total


def total_of(annotated: AnnotatedGraph, plugins: Plugins) -> Dim:
    """Returns the total of `memory` for a graph that was accounted for: of a training step, or of what else it is."""
    phase = TRAIN if annotated.training is not None else str(annotated.graph.workload.get("phase", ""))
    return _run_of(annotated, annotated.training or resolved({}, plugins), phase, plugins).total


@attrs.frozen(eq=False, repr=False)
class _Run:
    """A model's graph, its weights on one rank and its activations: what every figure of Memory is read from."""

    graph: Graph
    phase: str
    how: Training
    annotated: AnnotatedGraph
    whole: Weights
    part: Sharded
    activations: Activations

    @property
    def buffers(self) -> Dim:
        return self.whole.buffers + self.activations.table_bytes

    @property
    def inputs(self) -> Dim:
        return sum(value.spec.bytes for value in self.graph.inputs)

    @property
    def total(self) -> Dim:
        part = self.part
        fixed = part.parameters + self.buffers + self.inputs + part.gradients + part.optimizer_state
        return fixed + self.activations.peak


def _run(
    found: Graph | ModelChoice | ReadChoice,
    phase: str | None,
    unknown: str,
    plugins: Plugins,
    options: Mapping[str, Any],
) -> _Run:
    asked, others = separated(options)
    built, phase = _graph(found, phase, plugins, others)
    if phase != TRAIN:
        check_no_training(asked, untrainable(found), allowed=("profile", "dp", "zero"))
    how = resolved(asked, plugins)
    graph, _ = frozen(built, how.freeze)
    return _run_of(annotate(graph, unknown=unknown, plugins=plugins), how, phase, plugins)


def _run_of(annotated: AnnotatedGraph, how: Training, phase: str, plugins: Plugins) -> _Run:
    graph, trained = frozen(annotated.graph, how.freeze)
    gradients = trained if phase == TRAIN else _nothing
    check_stored(graph, gradients)
    plan = recompute_plan(graph, how.recompute, plugins.operators) if phase == TRAIN else NO_RECOMPUTE
    whole = weights(annotated, how.optimizer, how.master, gradients)
    part = shard(whole.parameters, whole.gradients, whole.optimizer_state, how.dp, how.zero)
    activations = annotated.activations
    if activations is None:
        activations = activations_of(graph, plugins.operators, how.profile, gradients, plan, phase == TRAIN)
    return _Run(graph, phase, how, annotated, whole, part, activations)


def _graph(
    found: Graph | ModelChoice | ReadChoice, phase: str | None, plugins: Plugins, options: Mapping[str, Any]
) -> tuple[Graph, str]:
    """Returns the model's graph and its phase, a training step by default; a finished graph is taken as it is."""
    if not isinstance(found, Graph):
        phase = phase or TRAIN
        return build(found, plugins=plugins, phase=phase, **options), phase
    if phase is None:
        own = own_phase(found)
        phase = own if own in CACHING else TRAIN
    return build(found, plugins=plugins, phase=phase, **options), phase


def _per_token(
    annotated: AnnotatedGraph, found: Graph | ModelChoice | ReadChoice, plugins: Plugins, options: Mapping[str, Any]
) -> Dim | None:
    """Returns what one more token of one sequence adds to the cache; in a phase without a cache, what it would add in a
    prefill of one token."""
    if annotated.graph.workload.get("phase") in CACHING:
        return token_bytes(annotated, plugins.operators)
    if not isinstance(found, ModelChoice) or PREFILL not in found.architecture.phases:
        return None
    sizes = {name: options[name] for name in ("set", "dtype") if name in options}
    try:
        graph = build(found, plugins=plugins, phase=PREFILL, seq_len=1, **sizes)
    except ConfigError:  # a family may have members without one, such as an encoder alone
        return None
    return token_bytes(annotate(graph, unknown="report", plugins=plugins), plugins.operators)


def _nothing(parameter: Parameter) -> bool:
    """Without gradients no parameter is trained."""
    return False
