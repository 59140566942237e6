"""Whether a model fits on a device, what would fit there, and the ways out if it does not: as values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct.devices.device import Device
from graphacct.dims import digits


@attrs.frozen(repr=False)
class Fit:
    """Whether a total fits.

    Attributes:
        total: The bytes that the model needs.
        capacity: The bytes that there are.
    """

    total: int
    capacity: int

    def __repr__(self) -> str:
        of = f" {self._of}" if self._of else ""
        answer = "yes" if self.fits else "no"
        return f"<{type(self).__name__}{of}: {answer}, {digits(self.total)} of {digits(self.capacity)} bytes>"

    @property
    def _of(self) -> str:
        """What it is of, in its repr."""
        return ""

    @property
    def fits(self) -> bool:
        """Whether there is room for it; a Fit itself is true if there is."""
        return self.total <= self.capacity

    def __bool__(self) -> bool:
        return self.fits

    @property
    def headroom_bytes(self) -> int:
        """The bytes left; negative if it does not fit."""
        return self.capacity - self.total


@attrs.frozen(repr=False)
class WayOut(Fit):
    """Other options for the same question, and what the model needs under them.

    Attributes:
        options: The options that differ from what was asked, by name.
    """

    options: Mapping[str, Any]

    @property
    def _of(self) -> str:
        return ", ".join(f"{name} {_text(value)}" for name, value in self.options.items())


@attrs.frozen(repr=False)
class DeviceFit(Fit):
    """A model on a device.

    Attributes:
        device: The device, whose bytes are the capacity.
        largest_batch: The largest batch that fits, all else as asked; 0 if not even 1 does, None if the model has no
            batch to choose (a finished graph).
        batch_limit: Why no larger one was possible, if memory is not the reason; empty otherwise.
        longest_seq_len: The longest sequence that fits, with the tokens in the cache of a decoding step and with the
            new ones of a generation; 0 and None as above.
        seq_len_limit: Why no longer one was possible, if memory is not the reason; empty otherwise.
        ways_out: If it does not fit, options under which it needs less, the smallest change first; empty if it does.
    """

    device: Device
    largest_batch: int | None = None
    batch_limit: str = ""
    longest_seq_len: int | None = None
    seq_len_limit: str = ""
    ways_out: tuple[WayOut, ...] = ()

    @property
    def _of(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The device's name."""
        return self.device.name

    @property
    def at_least(self) -> int:
        """The fewest devices of this kind that have the bytes together: no way to cut the model over them needs fewer,
        and one that copies anything may need more."""
        return -(-self.total // self.capacity)

    @property
    def nominal(self) -> bool:
        """Whether these are the bytes of the product's name and not what the device reports."""
        return self.device.nominal


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
