"""Build: the graph of a model for a workload."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.decisions import recorded
from graphacct.errors import ConfigError, ShapeError, UnknownNameError, brief
from graphacct.graph.config_keys import ConfigKeys
from graphacct.graph.graph import Graph
from graphacct.hooks.manager import Plugins
from graphacct.models.find import ModelChoice, find_model
from graphacct.models.finished import fixed, in_phase
from graphacct.models.read_choice import ReadChoice, takes_no_inputs
from graphacct.models.sub_model import families_of, inner_dtype
from graphacct.models.workload import Workload
from graphacct.phases import CACHING, DECODE, GENERATE, GENERATION_SIZES, PREFILL, TRAIN
from graphacct.tensors import computed_dtype

if TYPE_CHECKING:
    from graphacct.models.tensor_plan import TensorPlan
    from graphacct.models.weight_plan import Stored, WeightPlan


@recorded
def build(
    model: object,
    *,
    set: Mapping[str, Any] | None = None,
    dtype: str = "",
    weights: str | WeightPlan = "",
    lora: Sequence[str] = (),
    lora_dropout: float = 0.0,
    transforms: Sequence[Any] = (),
    plugins: Plugins,
    **workload: Any,
) -> Graph:
    """Returns the graph of a model.

    Args:
        model: A preset's or an architecture's name (`gpt2-xl`), a path that a reader accepts, `module:function`
            (a function that returns a Graph), a Graph, which is taken as it is, or an object that a reader knows: a
            networkx graph, a mapping with the keys of a config.json; or what `find_model` found.
        set: Configuration keys to override.
        dtype: The dtype of the computation, and of the parameters unless `weights` says otherwise; the architecture's
            own unless given.
        weights: How parameters are stored: a format (`nf4:double`, `gptq:4:group=128`, `q4_k`), or a WeightPlan;
            what the model's file says unless given. Works on a finished graph too. Adapters stay as they are.
        lora: Low-rank adapters, each `RANK:GLOB` (the glob matches the adapted matrices, by node or weight name),
            `RANK:NAME,NAME` (names of modules, as the peft library takes them) or `RANK:all-linear`. All
            other parameters are frozen. Works on a finished graph too. Short for the transform `lora`, applied before
            all others.
        lora_dropout: In training, the dropout in front of the adapters.
        transforms: Rewrites of the graph, in the order given: each a text, `NAME:option=value,option=value`, or a pair
            of its name and a mapping of options. Works on a finished graph too.
        plugins: The plugins in use.
        workload: The fields of `graphacct.Workload`, by name (batch, seq_len, encoder_seq_len, image_size, attention,
            phase, cache_len, loss, logits, kv_dtype). None means not given. The image size may be one number for both
            sides. A model that is read when they are known may have `inputs` and `dynamic` sizes.

    Raises UnknownNameError for an unknown model, ConfigError for a key or size that does not fit, ReadError for a
    file that cannot be read.
    """
    check_one_step(workload)
    found = find_model(model, plugins, set or {})
    graph = plain = _graph(
        found, {name: value for name, value in workload.items() if value is not None}, set or {}, dtype, plugins
    )
    if weights:
        graph = _stored(graph, weights, plugins).graph
    elif isinstance(found, ModelChoice) and (found.weights or found.problem):
        stored = _stored_as_said(graph, found.weights, found.problem, found.path, plugins)
        keys = _with_unmatched(found.keys, stored.unmatched)
        if stored.others:
            keys = attrs.evolve(
                keys, left_out={**keys.left_out, "tensors": f"{', '.join(stored.others)}, no parameter"}
            )
        graph, found = stored.graph, attrs.evolve(found, keys=keys)
    elif isinstance(found, ReadChoice):
        graph = _stored_as_read(graph, found, set or {}, plugins)
    more: dict[str, Any] = {}
    if isinstance(found, ModelChoice) and found.adapters and not lora:
        lora = found.adapters
        more = {name: value for name, value in (("dora", found.dora), ("saved", found.saved)) if value}
        lora_dropout = lora_dropout or (found.adapter_dropout if graph.workload.get("phase") == TRAIN else 0.0)
    elif isinstance(found, ModelChoice) and not lora:
        transforms = (*found.rewrites, *transforms)
    if lora:
        graph = _adapted(graph, lora, lora_dropout, more, plugins)
    elif lora_dropout:
        raise ConfigError("lora_dropout is that of adapters: add lora=RANK:GLOB")
    if transforms:
        from graphacct.transforms.transform import transformed

        graph = transformed(graph, transforms, plugins.transforms, plugins.operators)
    if graph.origin is not None and (graph is not plain):
        graph = attrs.evolve(graph, origin=None)  # it is no longer what was captured
    if isinstance(found, ModelChoice):
        keys = _with_sizes(found, workload)
        return attrs.evolve(graph, config_keys=keys, inexact=plain.inexact)
    return graph


def _with_sizes(found: ModelChoice, workload: Mapping[str, Any]) -> ConfigKeys:
    """Returns a file's keys with the sizes of the workload that a file beside it stated."""
    taken = found.stated(workload)
    if not taken:
        return found.keys
    texts = [
        f"{name} {'×'.join(map(str, size if isinstance(size, tuple) else (size,)))}" for name, size in taken.items()
    ]
    return attrs.evolve(found.keys, sizes=f"{', '.join(texts)} as {found.sizes_from} says")


def check_one_step(workload: Mapping[str, Any]) -> None:
    """Raises ConfigError for a generation, which no single graph is, and for a size of one in another phase."""
    if workload.get("phase") == GENERATE:
        raise ConfigError(
            f"a generation is many steps, each with a graph of its own: report, compare and memory take "
            f"phase={GENERATE!r}, a graph is that of phase={PREFILL!r} or phase={DECODE!r}"
        )
    for name in GENERATION_SIZES:
        if workload.get(name) is not None:
            raise ConfigError(f"{name} is a size of a generation: add phase={GENERATE!r}")


def _stored(graph: Graph, weights: str | WeightPlan | TensorPlan, plugins: Plugins) -> Stored:
    """Returns the graph with its parameters stored as a format or a plan says."""
    from graphacct.models.weight_plan import WeightPlan, stored_as, weight_plan

    if "weights" in graph.workload:
        raise ConfigError(f"{graph.name!r} has its weights stored already: {graph.workload['weights']}")
    if not isinstance(weights, (str, WeightPlan)):
        from graphacct.models.tensor_plan import TensorPlan, stored_in

        if isinstance(weights, TensorPlan):
            return stored_in(graph, weights, plugins.operators)
    plan = weights if isinstance(weights, WeightPlan) else weight_plan(weights, plugins.weight_formats)
    return stored_as(graph, plan, plugins.operators)


def _stored_as_said(
    graph: Graph, plan: WeightPlan | TensorPlan | None, problem: str, path: str, plugins: Plugins
) -> Stored:
    """Returns the graph with its parameters stored as the model's file at a path says; empty for a mapping."""
    try:
        if problem:
            raise ConfigError(problem)
        assert plan is not None
        return _stored(graph, plan, plugins)
    except ConfigError as error:
        where = f"{path}: " if path else ""
        raise ConfigError(f"{where}{error}\nweights=FORMAT counts them in another format, as 'bf16'") from error


def _stored_as_read(graph: Graph, found: ReadChoice, overrides: Mapping[str, Any], plugins: Plugins) -> Graph:
    """Returns the graph with its parameters stored as the files say that a reader has read."""
    said = found.weights(overrides)
    if said is None or not (said.plan or said.problem):
        return graph
    stored = _stored_as_said(graph, said.plan, said.problem, found.path, plugins)
    keys = ConfigKeys(said.not_understood)
    return attrs.evolve(stored.graph, config_keys=_with_unmatched(keys, stored.unmatched))


def _computed(dtype: str, plugins: Plugins) -> str:
    """Returns a dtype of the computation. Raises ConfigError for the name of a format of weights."""
    try:
        return computed_dtype(dtype)
    except UnknownNameError:
        if isinstance(dtype, str) and dtype.partition(":")[0].lower() in plugins.weight_formats:
            raise ConfigError(
                f"dtype {brief(dtype)} is a format of weights: leave it out and add weights={dtype!r}"
            ) from None
        raise


def _with_unmatched(keys: ConfigKeys, unmatched: Sequence[str]) -> ConfigKeys:
    """Returns a file's keys with the modules that it stores in another way and that the model does not have."""
    if not unmatched:
        return keys
    more = f" and {len(unmatched) - 1} more modules" if len(unmatched) > 1 else ""
    return attrs.evolve(keys, not_understood=(*keys.not_understood, f"quantization of {unmatched[0]}{more}"))


def _adapted(graph: Graph, lora: Sequence[str], dropout: Any, more: Mapping[str, Any], plugins: Plugins) -> Graph:
    """Returns the graph with adapters from the short form, or those of a file. Messages call the options `lora` and
    `lora_dropout`. `more` are the transform's other options."""
    from graphacct.transforms.transform import applied

    short = {"adapters": "lora", "dropout": "lora_dropout"}
    try:
        options = {"adapters": lora, "dropout": dropout, **more}
        return applied(graph, "lora", options, plugins.transforms, plugins.operators)
    except ConfigError as error:
        first, blank, rest = str(error).partition(" ")
        raise ConfigError(f"{short.get(first, first)}{blank}{rest}") from error


def _graph(
    found: Graph | ModelChoice | ReadChoice,
    workload: Mapping[str, Any],
    overrides: Mapping[str, Any],
    dtype: str,
    plugins: Plugins,
) -> Graph:
    """Returns the graph of a model that was found, without adapters.

    A finished graph has fixed sizes: options that would change them raise an error. It takes a phase, which may be
    `train` instead of `forward`.
    """
    if isinstance(found, Graph):
        sizes = [name for name in workload if name != "phase"]
        given = [*sizes, *(["set"] if overrides else []), *(["dtype"] if dtype else [])]
        if given and given != ["loss"]:
            raise fixed(found, given)
        return in_phase(found, workload.get("phase"), workload.get("loss"))
    if isinstance(found, ReadChoice):
        others = {"set": overrides, "dtype": dtype and _computed(dtype, plugins)}
        graph = found.graph({**workload, **{name: value for name, value in others.items() if value}})
        return in_phase(graph, workload.get("phase"), workload.get("loss"))
    wrong = takes_no_inputs(found.name, workload)
    if wrong is not None:
        raise wrong
    asked = workload
    try:
        left = {key: value for key, value in overrides.items() if key not in found.applied}
        with families_of(plugins):
            config = found.architecture.configure(found.config, left)
        workload = {**found.stated(workload), **workload}
        if found.kv_dtype and "kv_dtype" not in workload and workload.get("phase") in CACHING:
            workload = {**workload, "kv_dtype": found.kv_dtype}
        own = getattr(config, "dtype", None) or inner_dtype(config) or found.architecture.dtype
        dtype = _computed(dtype, plugins) if dtype else computed_dtype(own, "torch_dtype")
        return found.architecture.graph(found.name, config, Workload(**workload), plugins.operators, dtype)
    except (ConfigError, ShapeError) as error:
        if found.path:
            taken = ", ".join(found.stated(asked))
            beside = (
                f"\n{taken} as {found.sizes_from} says: another size of the workload is taken instead" if taken else ""
            )
            raise type(error)(f"{found.path}: {error}{beside}") from error
        raise
