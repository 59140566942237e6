"""Compares a model with a library's own class of it: parameters, the FLOPs of each module, and the memory of a step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from graphacct.checkpoints.class_measurement import ClassMeasurement
from graphacct.errors import ConfigError, PluginError, ReadError, brief
from graphacct.files import read_json
from graphacct.models.find import ModelChoice, find_model
from graphacct.models.sub_model import SubModel, families_of
from graphacct.models.workload import SECONDS, SIZES, Workload

if TYPE_CHECKING:
    from graphacct.hooks.manager import Plugins
    from graphacct.reports.report import Report

PARAMS, FORWARD, STEP = "params", "forward", "step"
FLOPS = {FORWARD: "matmul_flops", STEP: "step_matmul_flops"}
"""The quantity that has the FLOPs of a pass: those of products alone, which counters see."""
SHORT = 8
"""Tokens where a user gives no length: the library runs some classes token by token, and no figure needs more."""
LIBRARY = "graphacct-torch knows those of the transformers library (pip install graphacct-torch transformers)"


@attrs.frozen
class ClassLine:
    """One figure of both.

    Attributes:
        what: `params`, `forward` or `step` for FLOPs, or the name of a quantity of memory.
        path: The parameter or the module; empty for the whole model.
        ours: What graphacct says.
        theirs: What was measured; of FLOPs with those that the counter does not see, as far as there is a formula.
    """

    what: str
    path: str
    ours: int
    theirs: int

    @property
    def difference(self) -> int:
        return self.ours - self.theirs


@attrs.frozen
class ClassVerification:
    """How a model and a library's class compare.

    Attributes:
        model: The model's name.
        measured: What was measured.
        lines: All figures: parameters by name, FLOPs by module, memory; the totals first.
        workload: What both were measured for: sizes, the kind of attention, the dtype.
        overrides: The keys of the configuration that the user set.
    """

    model: str
    measured: ClassMeasurement
    lines: tuple[ClassLine, ...]
    workload: Mapping[str, Any] = attrs.field(factory=dict)
    overrides: Mapping[str, Any] = attrs.field(factory=dict)

    @property
    def differences(self) -> tuple[ClassLine, ...]:
        """The figures that differ."""
        return tuple(line for line in self.lines if line.difference)

    @property
    def equal(self) -> bool:
        return not self.differences


def library_keys(model: object, plugins: Plugins, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the keys of a model's config.json: a file's, or those of a preset, with what the user overrides.

    Raises ConfigError for a model that no configuration describes.
    """
    found = find_model(model, plugins, overrides)
    if not isinstance(found, ModelChoice) or not found.architecture.model_types:
        raise ConfigError(f"{brief(model)} has no config.json that a library's class is built from")
    architecture = found.architecture
    if found.path:
        import os

        path = os.path.join(found.path, "config.json") if os.path.isdir(found.path) else found.path
        content = read_json(path, 16 * 2**20, constants=float)
    else:
        content = model if isinstance(model, Mapping) else architecture.presets.get(found.name)
        if not isinstance(content, Mapping):
            content = _keys(found.config)
    names = content.get("architectures") or getattr(found.config, "architectures", None)
    if names:  # the class that the model is read as, also if its keys name none
        content = {**content, "architectures": [names] if isinstance(names, str) else names}
    return _overridden({"model_type": architecture.model_types[0], **content}, overrides)


def _overridden(content: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Returns keys with those that a user overrides; a key of a nested object is given by its path."""
    keys = dict(content)
    for path, value in overrides.items():
        outer, dot, inner = path.partition(".")
        held = keys.get(outer)
        if dot and (held is None or isinstance(held, Mapping)):
            keys[outer] = _overridden(held or {}, {inner: value})
        else:
            keys[path] = value
    return keys


def _keys(config: Any) -> dict[str, Any]:
    """Returns the keys of a configuration, as a config.json has them."""
    values = {field.name: getattr(config, field.name) for field in attrs.fields(type(config))}
    return {key: _plain(value) for key, value in values.items() if value is not None}


def short_length(
    found: object, overrides: Mapping[str, Any], options: Mapping[str, Any], plugins: Plugins
) -> dict[str, int]:
    """Returns the length of a sequence that a comparison takes unless it is told: a few tokens beside those that stand
    for images and sounds, or the model's own if it has fewer; nothing for a model without a length."""
    if not isinstance(found, ModelChoice) or "seq_len" not in found.architecture.sizes:
        return {}
    left = {key: value for key, value in overrides.items() if key not in found.applied}
    architecture = found.architecture
    with families_of(plugins):
        config = architecture.configure(found.config, left)
        length = architecture.sizes["seq_len"](config)
        if length is None:  # of a model that reads a text only in some configurations
            return {}
        own = int(length)
        if architecture.placeholders is None:
            return {"seq_len": min(SHORT, own)}
        names = (*SIZES, SECONDS, "attention")
        given = {name: options[name] for name in names if options.get(name) is not None}
        workload = architecture.workload(config, Workload(**{**found.stated(given), **given}))
        return {"seq_len": min(int(architecture.placeholders(config, workload, plugins.operators)) + SHORT, own)}


def _plain(value: Any) -> Any:
    """Returns a value as a config.json has it: lists, objects, and one number for the two sides of a square."""
    if isinstance(value, SubModel):
        return {"model_type": value.architecture.model_types[0], **_keys(value.config)}
    if attrs.has(type(value)):
        return _keys(value)
    if isinstance(value, tuple):
        return value[0] if len(value) == 2 and value[0] == value[1] else [_plain(item) for item in value]
    return value


def workload_of(report: Report) -> dict[str, Any]:
    """Returns the workload of a report as the library's class is given it."""
    names = ("batch", *SIZES, "attention", "dtype")
    return {name: report.workload[name] for name in names if report.workload.get(name) is not None}


def measured_class(keys: Mapping[str, Any], workload: Mapping[str, Any], plugins: Plugins) -> ClassMeasurement:
    """Returns what the class that a configuration's keys name measures for a workload.

    Raises ReadError if no plugin can build one, PluginError for a plugin that returns something else.
    """
    found: object = plugins.manager.hook.graphacct_measure_class(config=keys, workload=workload)
    if found is None:
        raise ReadError(f"no plugin measures the library's class of {keys.get('model_type')!r}: {LIBRARY}")
    if not isinstance(found, ClassMeasurement):
        who = plugins.who_has("graphacct_measure_class")
        raise PluginError(
            f"graphacct_measure_class of plugin {who} returned {brief(found)}, which is no ClassMeasurement"
        )
    return found


def verify_class(
    forward: Report,
    step: Report | None,
    measured: ClassMeasurement,
    overrides: Mapping[str, Any],
) -> ClassVerification:
    """Compares the reports of a forward pass and of a training step with what was measured; None for a model without a
    training step. `overrides` are the keys of the configuration that the user set."""
    ran = _with(measured.forward, measured.unseen_forward), _with(measured.step, measured.unseen_step)
    lines = [*_params(forward, measured), *_flops(FORWARD, forward, ran[0], measured.modules)]
    if step is not None:
        lines += _flops(STEP, step, ran[1], measured.modules)
        lines += [ClassLine(name, "", int(step.total[name]), value) for name, value in measured.memory.items()]
    return ClassVerification(forward.model, measured, tuple(lines), workload_of(forward), overrides)


def _with(counted: Mapping[str, int], unseen: Mapping[str, int]) -> dict[str, int]:
    """Returns what a counter said by module, with what it did not see."""
    return {path: counted.get(path, 0) + unseen.get(path, 0) for path in (*counted, *unseen)}


def _params(report: Report, measured: ClassMeasurement) -> Iterator[ClassLine]:
    ours: dict[str, int] = {}
    for row in report.by_parameter:
        if not row.parameter.tied_to and not row.parameter.buffer:
            name = _starred(row.parameter.name)
            ours[name] = ours.get(name, 0) + int(row.parameter.spec.elements * row.count)
    theirs: dict[str, int] = {}
    for name, elements in measured.parameters.items():
        theirs[_starred(name)] = theirs.get(_starred(name), 0) + elements
    yield ClassLine(PARAMS, "", int(report.total["params"]), sum(theirs.values()))
    for name in dict.fromkeys((*ours, *theirs)):
        yield ClassLine(PARAMS, name, ours.get(name, 0), theirs.get(name, 0))


def _flops(what: str, report: Report, measured: Mapping[str, int], modules: Any) -> Iterator[ClassLine]:
    quantity = FLOPS[what]
    ours = {row.path: int(row.values[quantity]) for row in report.by_scope}
    lists = {path: ours[f"{path}.*"] for path in measured if path not in ours and f"{path}.*" in ours}
    ours |= lists  # a scope of indices alone has no row of its own
    yield ClassLine(what, "", int(report.total[quantity]), measured.get("", 0))
    for path in (path for path in ours if path in modules):
        yield ClassLine(what, path, ours[path], measured.get(path, 0))
    for path, flops in measured.items():
        if path and path not in ours and flops:
            yield ClassLine(what, path, 0, flops)


def _starred(name: str) -> str:
    return re.sub(r"(?<=\.)\d+(?=\.|$)", "*", name)
