"""The verb that says whether a model fits in a memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from graphacct.errors import ConfigError, UnknownNameError, brief
from graphacct.hooks.manager import Plugins, default
from graphacct.keywords import DEFAULTS, AccountKeywords, checked
from graphacct.reports.report import Report
from graphacct.verbs.memory import memory
from graphacct.verbs.model import Model

if TYPE_CHECKING:
    from graphacct.footprint.device_fit import Fit
    from graphacct.footprint.memory import Memory


@checked(AccountKeywords, phase="train")
def fits(
    model: Model | Report | Memory,
    budget: str | int,
    *,
    unknown: str = DEFAULTS["unknown"],
    plugins: Plugins | None = None,
    **options: Unpack[AccountKeywords],
) -> Fit:
    """Returns whether the memory of a model's training step, or of inference in another phase, is within a budget.

    The result is true if it is, and has the bytes that are left or lacking. No margin is added: the allocator's
    rounding and the CUDA context are not in it (docs/memory.md).

    Args:
        model: As for `memory`, or a Memory.
        budget: Bytes, or a text: `24GiB`, `80GB`, `24G`.
        unknown: As for `account`.
        plugins: Those in use; all that are installed unless given.
        options: As for `account`.

    Raises what `memory` raises; ConfigError for a budget that is no size, and where sizes are symbols or arrays.

    >>> found = fits("gpt2", "24GiB", batch=8)
    >>> bool(found), found.total
    (True, 13164290048)
    """
    from graphacct.footprint.fits import fit
    from graphacct.footprint.memory import Memory

    found = model if isinstance(model, Memory) else memory(model, unknown=unknown, plugins=plugins, **options)
    return fit(found, budget_bytes(budget, plugins) if isinstance(budget, str) else budget)


def budget_bytes(budget: str, plugins: Plugins | None = None) -> int:
    """Returns the bytes of a budget as it is written. Raises ConfigError, which leads a device's name to `memory`."""
    from graphacct.devices.find import find_device
    from graphacct.sizes import parse_bytes

    try:
        return parse_bytes(budget)
    except ConfigError:
        try:
            device = find_device(budget, (plugins or default()).devices)
        except UnknownNameError:
            device = None
        if device is None:
            raise
        raise ConfigError(
            f"{brief(budget)} is a device, {device.name}, and no size of a memory: ask memory with on={brief(budget)}"
        ) from None
