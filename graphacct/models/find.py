"""Finds a model: from its name, path or object to a graph, or to an architecture with its configuration."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.errors import DeclinedError, PluginError, ReadError, brief, warn
from graphacct.graph.config_keys import NO_KEYS, ConfigKeys
from graphacct.graph.graph import Graph
from graphacct.hooks.manager import Plugins, default
from graphacct.models.architecture import Architecture
from graphacct.models.asking import asked, read_by, shown, takes, who
from graphacct.models.read_choice import ReadChoice
from graphacct.models.sub_model import families_of
from graphacct.models.workload import SECONDS

if TYPE_CHECKING:
    from graphacct.models.reader import Reader
    from graphacct.models.tensor_plan import TensorPlan
    from graphacct.models.weight_plan import WeightPlan

CHECKPOINTS = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".npz")
"""Endings of files that hold a model's tensors alone."""
NO_OVERRIDES: Mapping[str, Any] = {}
NO_PRESET = ""
"""What is remembered of an architecture whose own name is no preset's."""


@attrs.frozen(eq=False, repr=False)
class ModelChoice:
    """A model that was found but is not built yet, so that it can be built for any workload.

    Attributes:
        name: What reports call it.
        architecture: Its architecture.
        config: Its configuration, an instance of the architecture's class.
        path: The file that describes it, for messages; empty for a preset.
        keys: The keys of its file that the configuration does not take.
        applied: Overrides (`set`) that the reader has applied already, because the configuration does not take them.
        weights: How its file says that its parameters are stored; None for the dtype of the computation.
        kv_dtype: The dtype of its cache according to its file; empty if the file says none.
        problem: Why its weights cannot be counted as its file says; empty if they can. A format of the user's own does
            without.
        adapters: Low-rank adapters that its file describes, as `lora` takes them; those that a user gives take their
            place.
        adapter_dropout: In training, the dropout in front of them.
        dora: Whether they are DoRA's.
        saved: Modules that are trained whole beside them.
        rewrites: Other transforms that its file describes, each a name and its options, in order.
        sizes: Sizes of the workload that a file beside it states, which are taken unless the user gives them.
        sizes_from: The name of that file.
    """

    name: str
    architecture: Architecture
    config: Any
    path: str = ""
    keys: ConfigKeys = NO_KEYS
    applied: frozenset[str] = frozenset()
    weights: WeightPlan | TensorPlan | None = None
    kv_dtype: str = ""
    problem: str = ""
    adapters: tuple[str, ...] = ()
    adapter_dropout: float = 0.0
    dora: bool = False
    saved: tuple[str, ...] = ()
    rewrites: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    sizes: Mapping[str, Any] = NO_OVERRIDES
    sizes_from: str = ""

    def stated(self, workload: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the sizes that the file beside it states and that a workload leaves open."""
        given = {name for name, value in workload.items() if value is not None}
        if SECONDS in given:
            given |= set(self.architecture.per_second)
        return {name: value for name, value in self.sizes.items() if name not in given}

    def __repr__(self) -> str:
        return f"<ModelChoice {self.name}>"


def find_model(
    model: object, plugins: Plugins, overrides: Mapping[str, Any] = NO_OVERRIDES
) -> Graph | ModelChoice | ReadChoice:
    """Returns a finished graph, or the choice to build or read one from. `model` is a name (a preset's, or its
    repository's on the Hugging Face Hub), a path, `FILE.py:function` or `package.module:function`, an object that a
    reader knows, or a Graph or a choice, which are returned unchanged. `overrides` are configuration keys that
    replace those of a file before it is read (`model_type` among them).

    Raises UnknownNameError for an unknown name, ReadError for a file, a function or an object that yields no graph,
    GraphError for a Graph that is not consistent, PluginError for a reader that fails.
    """
    if isinstance(model, (ModelChoice, ReadChoice)):
        return model
    with families_of(plugins):
        return _find_model(model, plugins, overrides)


def _find_model(model: object, plugins: Plugins, overrides: Mapping[str, Any]) -> Graph | ModelChoice | ReadChoice:
    """Returns what `find_model` does for a model that was not found before."""
    if isinstance(model, Graph):
        from graphacct.graph.validate import validate

        validate(model)
        return model
    if not isinstance(model, (str, os.PathLike)):
        return _read(model, plugins, overrides)
    name = os.fspath(model)
    found = preset(name, plugins)
    if found is not None:
        if os.path.exists(name):
            _say_that_a_file_is_another(name)
        architecture, config = found
        if name in architecture.presets:
            return ModelChoice(name, architecture, config, keys=architecture.preset_keys(name))
        from graphacct.models.default_sizes import of_family  # most names are presets

        return ModelChoice(name, architecture, config, keys=ConfigKeys(defaults=of_family(architecture, overrides)))
    if os.path.exists(name):
        return _read(name, plugins, overrides)
    known = presets(plugins)
    spelled = next((other for other in known if other.lower() == name.lower()), name)
    if spelled != name:
        return find_model(spelled, plugins, overrides)
    from graphacct.models.hub_names import preset_of_hub_name, trained_from, unknown_model  # most are found before this

    of_hub = preset_of_hub_name(name, plugins)
    if of_hub is not None:
        return find_model(of_hub, plugins, overrides)
    other = trained_from(name, plugins)
    if other is not None:
        like = find_model(other[0], plugins, overrides)
        assert isinstance(like, ModelChoice)
        return attrs.evolve(like, keys=attrs.evolve(like.keys, read_as=other[1]))
    module, colon, function = name.rpartition(":")
    of_presets = [preset for item in plugins.architectures.values() for preset in item.presets]
    unknown = unknown_model(name, of_presets, list(plugins.architectures), plugins)
    if colon and function.isidentifier() and (module.endswith(".py") or module.replace(".", "").isidentifier()):
        from graphacct.models.call import called  # most models are no function's

        made = called(module, function, plugins, unknown)
        if isinstance(made, Graph):
            return made
        if not any(asked(reader, made, plugins, takes(made)) for reader in plugins.readers.values()):
            takers = ", ".join(plugins.readers)
            what = f"the class {made.__name__} itself" if isinstance(made, type) else type(made).__name__
            raise ReadError(
                f"{name} returned {what}, not a Graph, nor what a reader takes ({takers}): `graphacct list "
                "readers` says what each of them takes"
            )
        return _read(made, plugins, overrides)
    raise unknown


@cache
def _say_that_a_file_is_another(name: str) -> None:
    """Warns, once, of a name that a built-in model has and a file or folder here as well."""
    warn(f"{name!r} is the built-in model of this name; what lies here under the name is {os.path.join('.', name)}")


def preset(name: str, plugins: Plugins) -> tuple[Architecture, Any] | None:
    """Returns the architecture and configuration of a preset, or of an architecture's own name (its default
    configuration)."""
    item = _with_preset(name, plugins)
    if item is not None:
        architecture = item.load()
        return architecture, architecture.preset(name)
    item = plugins.architectures.get(name)
    if item is None:
        return None
    architecture = item.load()
    if architecture.needed:
        raise ReadError(
            f"{name} has no default sizes, since {' and '.join(architecture.needed)} must be given: name a preset or "
            "a file"
        )
    return architecture, architecture.config()


def _with_preset(name: str, plugins: Plugins) -> Any:
    """Returns the first architecture that has a preset of a name, or None. All are asked once for a name of a preset or
    of an architecture."""
    known = plugins.remembered.get(("preset", name))
    if known == NO_PRESET:
        return None
    before = plugins.architectures.get(known) if known else None
    if before is not None and name in before.presets:
        return before
    for item in plugins.architectures.values():
        if name in item.presets:
            plugins.remembered["preset", name] = item.name
            return item
    if name in plugins.architectures:
        plugins.remembered["preset", name] = NO_PRESET
    return None


def presets(plugins: Plugins | None = None) -> dict[str, Architecture]:
    """Returns every name of a model, with its architecture."""
    table: dict[str, Architecture] = {}
    for architecture in (plugins or default()).architectures.values():
        for name in (architecture.name, *architecture.presets):
            table.setdefault(name, architecture)
    return table


def _read(model: Any, plugins: Plugins, overrides: Mapping[str, Any]) -> Graph | ModelChoice | ReadChoice:
    """Returns the result of the first reader that accepts an existing path, or an object. One that declines it leaves
    it to those after it, and its error is that of the model if they decline it too."""
    declined: list[DeclinedError] = []
    for reader in plugins.readers.values():
        if not asked(reader, model, plugins, takes(model)):
            continue
        try:
            return _answer(reader, model, plugins, overrides)
        except DeclinedError as error:
            declined.append(error)
    if declined:
        first, *others = declined
        more = [other.beside for other in others if other.beside] or [first.alone]
        raise ReadError("; ".join(filter(None, [str(first), *more]))) from first
    if not isinstance(model, str):
        raise ReadError(
            f"no reader knows {shown(model)}: a model is a name, a path, module:function, a graphacct.Graph, or an "
            f"object that one of the readers takes: {', '.join(plugins.readers)}"
        )
    if os.path.isdir(os.path.join(model, "snapshots")):
        raise ReadError(f"{model!r} is a folder of the hub's cache: give one of the folders in its snapshots")
    if os.path.isdir(model):
        several = [name for name in sorted(os.listdir(model)) if name.endswith(".gguf")]
        if len(several) > 1:
            raise ReadError(f"{model!r} has several GGUF files: give one of them, as {several[0]!r}")
        raise ReadError(f"{model!r} is a folder without a config.json that is a file")
    if model.endswith(".py"):
        raise ReadError(f"{model!r} is Python code: name a function of it that returns a model, as {model}:function")
    if model.endswith(CHECKPOINTS):
        raise ReadError(
            f"{model!r} is a checkpoint: tensors, without the model's sizes; give the config.json of its folder, "
            "or the folder"
        )
    raise ReadError(f"{model!r} is of no known format; known: {', '.join(plugins.readers)}")


def _answer(
    reader: Reader, model: Any, plugins: Plugins, overrides: Mapping[str, Any]
) -> Graph | ModelChoice | ReadChoice:
    """Returns what a reader makes of a model that it accepts."""
    if reader.find is not None:
        found: object = asked(reader, model, plugins, lambda reader: _found(reader, model, plugins, overrides))
        if isinstance(found, ModelChoice):
            return found
        if isinstance(found, tuple) and len(found) == 3 and isinstance(found[1], Architecture):
            return ModelChoice(*found, model if isinstance(model, str) else "")
        raise PluginError(
            f"{who(reader, model, plugins)} returned {brief(found)}, not a model's name, its architecture and its "
            "configuration"
        )
    if reader.takes:
        return ReadChoice(asked(reader, model, plugins, lambda reader: reader.named(model)), model, reader, plugins)
    return read_by(reader, model, plugins, {})


def _found(reader: Reader, model: Any, plugins: Plugins, overrides: Mapping[str, Any]) -> object:
    """Returns what a reader of models finds."""
    assert reader.find is not None
    return reader.find(model, plugins, overrides) if reader.takes_overrides else reader.find(model, plugins)
