"""The verbs that verify a model against a checkpoint, and against the class that it was made after."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Unpack

from graphacct.errors import ConfigError
from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import (
    ModelKeywords,
    ReportKeywords,
    checked,
)
from graphacct.models.find import find_model
from graphacct.reports.report import Report
from graphacct.verbs.account import account
from graphacct.verbs.model import Model
from graphacct.verbs.reported import tensors_of

if TYPE_CHECKING:
    from graphacct.checkpoints.verify import Verification
    from graphacct.checkpoints.verify_class import ClassVerification


@checked(ReportKeywords)
def verify(
    report: Report | Model,
    checkpoint: str | os.PathLike[str],
    *,
    plugins: Plugins | None = None,
    **options: Unpack[ReportKeywords],
) -> Verification:
    """Compares a checkpoint's tensors with a model's: names and shapes, from the files' headers alone.

    Args:
        report: A report, or a model.
        checkpoint: A .safetensors file, the index of a sharded one, or a folder with either.
        plugins: Those in use; all that are installed unless given.
        options: As for `account`, of a model.

    Raises what `account` raises; ConfigError for options of a report; ReadError for a checkpoint that cannot be read.
    """
    from graphacct.checkpoints.safetensors import tensors
    from graphacct.checkpoints.verify import verify as verified

    plugins = plugins or default()
    return verified(tensors_of(report, True, plugins, options), tensors(checkpoint), plugins)


@checked(ModelKeywords)
def verify_class(
    model: Model, *, plugins: Plugins | None = None, **options: Unpack[ModelKeywords]
) -> ClassVerification:
    """Compares a model with the library's own class of it: parameters, the FLOPs of each module, and what a step holds.

    Attention is written out unless the options say otherwise, because counters see no fused one, and the step starts
    from the sum of the outputs. A sequence is 8 tokens long unless the options say otherwise, with images or sounds 8
    longer than their placeholders.

    Args:
        model: A preset's name, or a config.json of a family that graphacct has.
        plugins: Those in use; all that are installed unless given. One of them measures the class.
        options: Those of `build`; `phase` and `loss` are the comparison's own.

    Raises ConfigError for a model without a config.json, ReadError if no plugin measures its class.
    """
    from graphacct.checkpoints.verify_class import library_keys, measured_class, short_length, workload_of
    from graphacct.checkpoints.verify_class import verify_class as compared

    plugins = plugins or default()
    own = {name: options.pop(name, None) for name in ("phase", "loss")}  # type: ignore[misc]
    given = [name for name, value in own.items() if value is not None]
    if given:
        raise ConfigError(f"{' and '.join(given)}: a forward pass and a step from the sum of the outputs are compared")
    keys = library_keys(model, plugins, options.get("set") or {})
    found = find_model(model, plugins, options.get("set") or {})
    kinds = getattr(getattr(found, "architecture", None), "attention", ())
    if options.get("attention") is None and "eager" in kinds:
        options["attention"] = "eager"
    if options.get("seq_len") is None:
        options = {**options, **short_length(found, options.get("set") or {}, options, plugins)}  # type: ignore[typeddict-item]
    how: Any = {**options, "convention": "matmul", "plugins": plugins}
    forward = account(model, **how)
    step = account(model, **how, phase="train", loss="sum", profile="torch-eager-cpu")
    measured = measured_class(keys, workload_of(forward), plugins)
    return compared(forward, step, measured, options.get("set") or {})
