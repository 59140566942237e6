"""The memory of a training step or of inference, part by part, in bytes.

The peak is the most that is alive while the forward and the backward pass run, kernel by kernel. The allocator's
rounding and fragmentation, the CUDA context and the workspaces of libraries are not modelled (docs/memory.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.costs.annotate import AnnotatedGraph, annotate
from graphacct.costs.coverage import Coverage, coverage
from graphacct.dims import Dim, Figure, digits
from graphacct.display import display
from graphacct.errors import ConfigError
from graphacct.footprint.cache import cached_bytes, token_bytes
from graphacct.footprint.live_tensors import LiveTensor
from graphacct.footprint.run import Run, annotated_run, run_of
from graphacct.footprint.timeline import TimelineRow
from graphacct.graph.config_keys import ConfigKeys
from graphacct.graph.graph import Graph
from graphacct.hooks.manager import Plugins
from graphacct.keywords import separated
from graphacct.models.build import build
from graphacct.models.find import ModelChoice, find_model
from graphacct.models.read_choice import ReadChoice
from graphacct.phases import CACHING, PREFILL, TRAIN
from graphacct.training.selection import selected
from graphacct.training.zero import PARAMETERS as ZERO_PARAMETERS

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
        largest_gathered: Where ZeRO divides the parameters: the node that has the most bytes of them, and how many they
            are whole. A rank has those beside its own while the node runs, and they are in no sum. None without ZeRO 3,
            and if sizes are symbols.
        positions: With `on`: the key of the configuration that says how long a text may be, and its value; None if
            there is none.
    """

    model: str
    workload: Mapping[str, Any]
    phase: str
    profile: str
    optimizer: str
    master: str
    dp: int
    zero: int
    parameters: Figure
    buffers: Figure
    inputs: Figure
    gradients: Figure
    optimizer_state: Figure
    saved_activations: Figure
    saved_weight_copies: Figure
    forward_peak: Figure
    backward_peak: Figure
    peak: Figure
    fresh_peak: Figure
    kv_cache_bytes: Figure
    kv_bytes_per_token: Figure | None
    kv_bytes_next_token: Figure | None
    total: Figure
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
    largest_gathered: tuple[str, int] | None = None
    positions: tuple[str, int] | None = None

    def __repr__(self) -> str:
        answers = "".join(f"; {item.name} {'yes' if item.fits else 'no'}" for item in self.devices)
        return f"<Memory {self.model}: {digits(self.total)} bytes, phase {self.phase}{answers}>"

    def __str__(self) -> str:
        return str(display("memory.table", self))

    def _repr_html_(self) -> str:
        return str(display("memory.html", self))


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
    run = run_of(found, phase, unknown, plugins, options)
    return _memory(run, _per_token(run.annotated, found, plugins, others), plugins)


def memory_of_annotated(annotated: AnnotatedGraph, plugins: Plugins) -> Memory:
    """Returns `memory` for a graph that was accounted for: of a training step, or of what else it is."""
    run = annotated_run(annotated, plugins)
    return _memory(run, token_bytes(annotated, plugins.operators) if run.phase in CACHING else None, plugins)


def total(model: object, *, phase: str | None = None, unknown: str, plugins: Plugins, **options: Any) -> Dim:
    """Returns the total of `memory` alone, which takes two thirds of its time. The arguments are the same."""
    _, others = separated(options)
    return run_of(find_model(model, plugins, others.get("set") or {}), phase, unknown, plugins, options).total


def total_of(annotated: AnnotatedGraph, plugins: Plugins) -> Dim:
    """Returns the total of `memory` for a graph that was accounted for: of a training step, or of what else it is."""
    return annotated_run(annotated, plugins).total


def _memory(run: Run, per_token: Any, plugins: Plugins) -> Memory:
    found: Any = run  # whose figures may be of symbols
    activations, how, part = found.activations, run.how, found.part
    at = activations.peak_position
    cached: Any = cached_bytes(run.annotated, plugins.operators)
    next_token: Any = token_bytes(run.annotated, plugins.operators, True) if run.phase in CACHING else None
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
        buffers=found.buffers,
        inputs=found.inputs,
        gradients=part.gradients,
        optimizer_state=part.optimizer_state,
        saved_activations=activations.saved_bytes,
        saved_weight_copies=activations.weight_copy_bytes,
        forward_peak=activations.forward_peak,
        backward_peak=activations.backward_peak,
        peak=activations.peak,
        fresh_peak=activations.fresh_peak,
        kv_cache_bytes=sum(cached.values()),
        kv_bytes_per_token=per_token,
        kv_bytes_next_token=next_token,
        total=found.total,
        peak_at="" if at is None else activations.timeline[at].node,
        peak_in="" if at is None else activations.timeline[at].run,
        live_at_peak=() if at is None else activations.live_tensors(at, cached),
        timeline=activations.timeline,
        coverage=coverage(run.annotated.costs, plugins.operators),
        config_keys=run.graph.config_keys,
        inexact=run.graph.inexact,
        largest_gathered=_largest_gathered(run),
    )


def _largest_gathered(run: Run) -> tuple[str, int] | None:
    if run.how.zero < ZERO_PARAMETERS or run.how.dp == 1:
        return None
    sizes = {
        record.node.name: sum(item.bytes for item in record.owned if not item.buffer) for record in run.annotated.costs
    }
    whole = {name: size for name, size in sizes.items() if type(size) is int and size}
    return max(whole.items(), key=itemgetter(1)) if len(whole) == sum(1 for size in sizes.values() if size) else None


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
