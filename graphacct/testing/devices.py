"""The contract of a device."""

from __future__ import annotations

from functools import lru_cache
from typing import ClassVar

from graphacct.devices.device import Device
from graphacct.devices.find import find_device, find_devices, names
from graphacct.errors import GraphacctError
from graphacct.hooks.manager import Plugins, default
from graphacct.testing.contract import Contract
from graphacct.testing.totals import sample_rows
from graphacct.verbs.memory import memory

LEAST = 2**20
"""Fewer bytes than this are those of somebody who meant GB."""
ROUND = 10**9
"""The bytes of a product's name are so many times a number; what a device reports is not."""


class DeviceContract(Contract):
    """What holds for every device. A subclass sets `device`.

    Attributes:
        device: The device, or its name.
    """

    kind = "devices"
    noun = "device"
    device: ClassVar[Device | str]

    def test_it_says_where_its_bytes_are_from(self) -> None:
        """`graphacct list devices` has its source."""
        if not self.thing().source.strip():
            self.fail("it has no source", "Say where the bytes are from: 'nvidia-smi on our nodes', a data sheet.")

    def test_its_bytes_are_bytes(self) -> None:
        """They are no number of GB, and those of a product's name (80 GB as 80 · 10⁹) are `nominal`."""
        device = self.thing()
        if device.memory_bytes < LEAST:
            self.fail(f"it has {device.memory_bytes} bytes", "Give bytes: 80 GiB is 80 * 2**30.")
        if device.memory_bytes % ROUND == 0 and not device.nominal:
            self.fail(
                f"its {device.memory_bytes:,} bytes are a round number of GB, as the product is called",
                "Give what the device reports, or say nominal=True.",
            )

    def test_its_names_mean_it_alone(self) -> None:
        """`--on` finds it by its name and by each alias, however they are written."""
        device, known = self.thing(), self.in_use().devices
        for name in names(device):
            for written in (name, name.upper(), name.replace("-", " ")):
                try:
                    found = find_device(written, known)
                except GraphacctError as error:
                    self.fail(f"--on {written!r}: {error}", "Another device has this name or alias: leave it out.")
                if found.name != device.name:
                    self.fail(f"--on {written!r} is {found.name}", "Leave the alias out, or give it another name.")

    def test_a_model_is_held_against_it(self) -> None:
        """`graphacct memory MODEL --on NAME` answers."""
        plugins, name = self.in_use(), self.thing().name
        meant = [device.name for device in find_devices(name, plugins.devices)]
        if meant != [name]:
            self.fail(f"--on {name} answers for {', '.join(meant)}", "Give it a name of its own.")
        on = "all" if plugins is default() else name
        answers = _answers(plugins, on)
        if answers is not None and name not in answers:
            self.fail(f"--on {on} answers for {', '.join(answers)}", "Give it a name of its own.")


@lru_cache(maxsize=1)
def _answers(plugins: Plugins, on: str) -> tuple[str, ...] | None:
    """Returns the devices that a model is held against: all that are installed at once, as its memory is the same for
    each. None where no model is registered."""
    for row in sample_rows(plugins)[:1]:
        return tuple(answer.device.name for answer in memory(row.model, on=on, plugins=plugins).devices)
    return None
