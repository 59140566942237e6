"""The public verbs: from a model's name, a file or a graph to its report."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphacct.annotate import Training, annotate
from graphacct.architecture import Architecture, Workload
from graphacct.conventions import Convention
from graphacct.errors import ConfigError, GraphacctError, PluginError, ReadError, brief, failure, unknown
from graphacct.graph import Graph
from graphacct.plugins import Plugins, default
from graphacct.readers import Reader
from graphacct.report import Report
from graphacct.rollup import rollup
from graphacct.tensors import dtype_name

if TYPE_CHECKING:
    from graphacct.profiles import Profile


def build(
    model: str | os.PathLike[str] | Graph,
    *,
    batch: Any = None,
    seq_len: Any = None,
    encoder_seq_len: Any = None,
    image_size: Any = None,
    attention: str | None = None,
    phase: str | None = None,
    cache_len: Any = None,
    loss: str | None = None,
    logits: str | None = None,
    dtype: str = "",
    set: Mapping[str, Any] | None = None,
    lora: Sequence[str] = (),
    lora_dropout: float = 0.0,
    plugins: Plugins | None = None,
) -> Graph:
    """The graph of a model.

    Args:
        model: A preset's or an architecture's name (`gpt2-xl`), a path that a reader accepts, `module:function`
            (a function that returns a Graph), or a Graph, which is returned as it is.
        batch: Sequences or images at a time; 1 unless given.
        seq_len: Tokens per sequence; the configuration's context length unless given. Of a model with an encoder and a
            decoder, those of the decoder.
        encoder_seq_len: Tokens per sequence in its encoder; as many as in the decoder unless given.
        image_size: Height and width in pixels, or one number for both; the configuration's unless given.
        attention: `fused` (one operator, the default) or `eager` (written out).
        phase: `forward` (the default), `train` (a training step, with dropout as the configuration says and a loss),
            `prefill` (a forward pass that fills a cache of keys and values), or `decode` (one new token per sequence on
            a cache of earlier ones).
        cache_len: In decoding, the tokens in the cache that the step finds; one less than the context length unless
            given.
        loss: In training, `sum` of the outputs (the default) or `cross_entropy`.
        logits: Outside training, of which positions logits are computed: `all` (the default) or the `last`.
        dtype: The parameters' dtype; the architecture's own unless given.
        set: Configuration keys to override.
        lora: Low-rank adapters, each `RANK:GLOB`: beside which matrices, by the names of nodes or weights. Every other
            parameter is frozen. A finished graph takes them too.
        lora_dropout: In training, the dropout in front of the adapters.

    Raises UnknownNameError for an unknown model, ConfigError for a key or size that does not fit, ReadError for a
    file that cannot be read.
    """
    plugins = plugins or default()
    sizes = {"batch": batch, "seq_len": seq_len, "encoder_seq_len": encoder_seq_len, "image_size": image_size}
    sizes |= {"attention": attention, "phase": phase, "cache_len": cache_len, "loss": loss, "logits": logits}
    given = {name: value for name, value in sizes.items() if value is not None}
    graph = _built(model, given, set, dtype, plugins)
    if lora:
        from graphacct.lora import adapted

        return adapted(graph, lora, plugins.operators, lora_dropout)
    if lora_dropout:
        raise ConfigError("lora_dropout is that of adapters: add lora= (--lora RANK:GLOB)")
    return graph


def _built(
    model: str | os.PathLike[str] | Graph,
    given: Mapping[str, Any],
    set: Mapping[str, Any] | None,
    dtype: str,
    plugins: Plugins,
) -> Graph:
    """The graph of a model, without adapters."""
    if isinstance(model, Graph):
        from graphacct.validate import validate

        validate(model)
        return _fixed(model, given, set, dtype)
    name = os.fspath(model)
    found = find(name, plugins)
    if found is not None:
        return _configured(name, *found, given, set or {}, dtype, plugins)
    if os.path.exists(name):
        for reader in plugins.readers.values():
            described = _described(reader, name, plugins)
            if described is not None:
                try:
                    return _configured(*described, given, set or {}, dtype, plugins)
                except ConfigError as error:
                    raise ConfigError(f"{name}: {error}") from error
            graph = _read(reader, name, plugins)
            if graph is not None:
                return _fixed(graph, given, set, dtype)
        raise ReadError(f"{name!r} is of no known format; known: {', '.join(plugins.readers)}")
    module, colon, function = name.partition(":")
    if colon and module.replace(".", "").isidentifier():
        return _fixed(_call(module, function, plugins.operators), given, set, dtype)
    if os.sep in name or name.endswith(".json"):
        raise ReadError(f"no such file: {name!r}")
    raise unknown("model", name, presets(plugins), "graphacct list architectures shows all")


def account(
    model: str | os.PathLike[str] | Graph,
    *,
    convention: str | Convention = "exact",
    unknown: str = "error",
    profile: str = "",
    freeze: Sequence[str] = (),
    recompute: str = "none",
    optimizer: str = "",
    master: str = "",
    dp: int = 1,
    zero: int = 0,
    plugins: Plugins | None = None,
    **options: Any,
) -> Report:
    """The report of a model: build, annotate, roll up.

    Args:
        model: As for `build`, which takes the `options`.
        convention: What is counted: a convention or its name.
        unknown: What becomes of a node whose operator is not registered: `error`, or `report`, which leaves it out
            of every sum and names it in the coverage.
        profile: In training, the execution profile; the first that is registered unless given (torch-eager-cuda).
        freeze: In training, globs of the parameters that are not trained.
        recompute: In training, what is run again in the backward pass, to keep less: `none`, `full` (each repetition of
            a block from its inputs), `selective` (the attention core), or a glob of nodes.
        optimizer: In training, a key of `graphacct.optimizers.OPTIMIZERS`; adamw unless given.
        master: In training, `fp32` or `none`: whether parameters have a float32 copy; unless given, those of 16 bits.
        dp: In training, data-parallel ranks; the batch is that of one rank.
        zero: In training, the ZeRO stage, 0 to 3: what the ranks divide among them.

    >>> account("gpt2-xl", seq_len=1024).total["params"]
    1557611200
    """
    plugins = plugins or default()
    graph = build(model, plugins=plugins, **options)
    annotated = annotate(graph, find_convention(convention, plugins), unknown=unknown, plugins=plugins)
    if graph.workload.get("phase") == "train":
        from graphacct.optimizers import find_optimizer
        from graphacct.training import train

        rule = find_optimizer(optimizer or "adamw")
        how = Training(find_profile(profile, plugins), tuple(freeze), recompute, rule, master, dp, zero)
        annotated = train(annotated, how, plugins, unknown)
    else:
        given = {"profile": profile, "freeze": freeze, "recompute": recompute != "none", "optimizer": optimizer}
        given |= {"master": master, "dp": dp != 1, "zero": zero}
        named = ", ".join(name for name, value in given.items() if value)
        if named:
            raise ConfigError(f'{named}: of a training step alone; add phase="train" (--phase train)')
    return rollup(annotated, plugins)


def find_profile(profile: str, plugins: Plugins) -> Profile:
    """The execution profile of a name; the first that is registered for an empty one."""
    table = plugins.profiles
    if not table:
        raise ConfigError("no plugin registers an execution profile: graphacct-operators is left out or not installed")
    if profile and profile not in table:
        raise unknown("profile", profile, table)
    return table[profile or next(iter(table))]


def find_convention(convention: str | Convention, plugins: Plugins) -> Convention:
    """The convention of a name; UnknownNameError suggests the closest."""
    if isinstance(convention, Convention):
        return convention
    rule = plugins.conventions.get(convention)
    if rule is None:
        raise unknown("convention", convention, plugins.conventions)
    return rule


def presets(plugins: Plugins | None = None) -> dict[str, Architecture]:
    """Every name that a model can be asked for by, and its architecture."""
    table: dict[str, Architecture] = {}
    for architecture in (plugins or default()).architectures.values():
        for name in (architecture.name, *architecture.presets):
            table.setdefault(name, architecture)
    return table


def find(name: str, plugins: Plugins) -> tuple[Architecture, Any] | None:
    """The architecture and configuration of a preset, or of an architecture's own name (its default configuration)."""
    for item in plugins.architectures.values():
        if name in item.presets:
            architecture = item.load()
            return architecture, architecture.presets[name]
    item = plugins.architectures.get(name)
    if item is None:
        return None
    architecture = item.load()
    return architecture, architecture.config()


def _configured(
    name: str,
    architecture: Architecture,
    config: Any,
    sizes: Mapping[str, Any],
    overrides: Mapping[str, Any],
    dtype: str,
    plugins: Plugins,
) -> Graph:
    """The graph of a configuration on a workload."""
    config = architecture.configure(config, overrides)
    dtype = dtype_name(dtype or getattr(config, "dtype", None) or architecture.dtype)
    return architecture.graph(name, config, Workload(**sizes), plugins.operators, dtype)


def _described(reader: Reader, name: str, plugins: Plugins) -> tuple[str, Architecture, Any] | None:
    """The model that a file describes, or None when the reader does not accept it or reads graphs."""
    if reader.find is None:
        return None
    who = f"reader {reader.name!r} of plugin {plugins.origin('readers', reader.name)} on {name!r}"
    try:
        return reader.find(name, plugins) if reader.accepts(name) else None
    except GraphacctError:
        raise
    except Exception as error:
        raise PluginError(failure(who, error)) from error


def _fixed(graph: Graph, sizes: Mapping[str, Any], overrides: Mapping[str, Any] | None, dtype: str) -> Graph:
    """A graph whose sizes are in it already: options that would change them are refused, not ignored."""
    given = [*sizes, *(["set"] if overrides else []), *(["dtype"] if dtype else [])]
    if given:
        raise ConfigError(f"{graph.name!r} is a finished graph, whose sizes are fixed: it takes no {', '.join(given)}")
    return graph


def _read(reader: Reader, name: str, plugins: Plugins) -> Graph | None:
    """The graph in a file, or None when the reader does not accept it; PluginError names a reader that fails."""
    who = f"reader {reader.name!r} of plugin {plugins.origin('readers', reader.name)} on {name!r}"
    try:
        graph: object = reader.read(name, plugins.operators) if reader.read and reader.accepts(name) else None
    except GraphacctError:
        raise
    except Exception as error:
        raise PluginError(failure(who, error)) from error
    if graph is not None and not isinstance(graph, Graph):
        raise PluginError(f"{who} returned {brief(graph)}, which is no Graph")
    return graph


def _call(module: str, function: str, operators: Mapping[str, Any]) -> Graph:
    """The graph that a function makes; one that has an argument `operators` gets those of the plugins in use."""
    import importlib
    import sys

    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        maker = getattr(importlib.import_module(module), function)
        code = getattr(maker, "__code__", None)
        asks = code is not None and "operators" in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        graph = maker(operators=operators) if asks else maker()
    except Exception as error:
        raise ReadError(f"{module}:{function} failed: {type(error).__name__}: {error}") from error
    if not isinstance(graph, Graph):
        raise ReadError(f"{module}:{function} returned {type(graph).__name__}, not a Graph")
    return graph
