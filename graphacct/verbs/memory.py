"""The verb for the memory of a model, and whether it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from graphacct.decisions import recorded
from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import DEFAULTS, AccountKeywords, checked
from graphacct.phases import TRAIN
from graphacct.reports.report import Report
from graphacct.verbs.model import Model, check_no_options

if TYPE_CHECKING:
    from graphacct.devices.find import Devices
    from graphacct.footprint.memory import Memory


@recorded
@checked(AccountKeywords, phase="train")
def memory(
    model: Model,
    *,
    on: Devices | None = None,
    unknown: str = DEFAULTS["unknown"],
    plugins: Plugins | None = None,
    **options: Unpack[AccountKeywords],
) -> Memory:
    """Returns the memory of a model's training step, or of inference in another phase, part by part in bytes.

    Args:
        model: As for `build`; or a report, whose own step or inference it is, on one rank.
        on: Devices: names separated by commas (`h100,a100-80gb`), `all`, a TOML file of devices, or a
            `graphacct.Device`; one or several. The result's `devices` says for each whether the model fits, the largest
            batch and the longest sequence that do, and the ways out.
        unknown: As for `account`.
        plugins: Those in use; all that are installed unless given.
        options: As for `account`.

    Raises what `account` raises, ConfigError for options beside a report, and UnknownNameError for a device that is not
    known, with those that it may be.

    >>> memory("gpt2", batch=1, seq_len=128).parameters
    497759232
    >>> [device.fits for device in memory("gpt2", batch=16, on="h100,rtx-4090").devices]
    [True, False]
    """
    plugins = plugins or default()
    if isinstance(model, Report):
        check_no_options(model, {**({"unknown": unknown} if unknown != DEFAULTS["unknown"] else {}), **options})
        return _of_report(model, on, plugins)
    if on is None:
        from graphacct.footprint.generation import memory_of

        return memory_of(model, unknown=unknown, plugins=plugins, **options)
    from graphacct.devices.find import find_devices
    from graphacct.footprint.on_devices import memory_on

    devices = find_devices(on, plugins.devices, options.get("phase") or TRAIN)
    return memory_on(model, devices, unknown=unknown, plugins=plugins, **options)


def _of_report(report: Report, on: Devices | None, plugins: Plugins) -> Memory:
    """Returns the memory of a report, and whether it fits on devices; its graph is built, so that no other size is
    tried there."""
    from graphacct.footprint.memory import memory_of_annotated

    report.check_one_step("memory")
    found = memory_of_annotated(report.annotated, plugins)
    if on is None:
        return found
    from graphacct.devices.find import find_devices
    from graphacct.footprint.on_devices import on_devices

    return on_devices(found, find_devices(on, plugins.devices))
