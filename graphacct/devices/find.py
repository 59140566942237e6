"""Find: from what a user calls a device to the device, and never to another one.

A name that could be two devices' is an error that lists them. Part of a name is no name: `m2` is not the M2-Ultra, and
`v100` may have 16 or 32 GB. What people say for one device (`h100`) is among its aliases.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from graphacct.devices.device import Device
from graphacct.devices.files import read
from graphacct.errors import ConfigError, UnknownNameError, brief, suggest
from graphacct.phases import TRAIN

ALL = "all"
FILE = ".toml"
MAKERS = ("nvidia", "geforce", "tesla", "amd", "instinct", "intel", "google", "aws", "apple")
"""Words that may stand before a name, as drivers report it: `NVIDIA GeForce RTX 4090`."""

TRAINED = ", and divide training over ranks with dp={ranks} and zero=3"
SERVED = (
    ". A model cut over several (tensor or pipeline parallelism) is not modelled: dp={ranks} and zero=3 divide its "
    "weights alone, which each layer gathers, and the batch and its cache are those of one rank"
)
"""How several devices of one name are said in training, and in inference."""

Devices: TypeAlias = str | Path | Device | Iterable[str | Path | Device]


def find_devices(asked: Devices, known: Mapping[str, Device], phase: str = TRAIN) -> tuple[Device, ...]:
    """Returns the devices that are asked for, each once, in that order.

    Args:
        asked: Names separated by commas, `all`, TOML files with devices of the user's own (all that are in them; a Path
            is one), or Devices; one or several.
        known: The registered devices by name.
        phase: What runs on them, for the words about several of one device.

    Raises UnknownNameError for a name that no device has or that several could have, ReadError for a file that cannot
    be read, ConfigError for no devices.
    """
    items = list(asked) if isinstance(asked, Iterable) and not isinstance(asked, (str, bytes)) else [asked]
    found: dict[str, Device] = {}
    for item in items:
        for device in [item] if isinstance(item, Device) else _named(item, known, phase):
            other = found.setdefault(device.name, device)
            if other.memory_bytes != device.memory_bytes:
                raise ConfigError(
                    f"on names two devices {device.name!r}, of {other.memory_bytes:,} and of {device.memory_bytes:,} "
                    "bytes: rename one"
                )
    if not found:
        raise ConfigError(f'on is {brief(asked)}, which names no device: write on="h100,a100-80gb" or on="all"')
    return tuple(found.values())


def _named(text: str | Path, known: Mapping[str, Device], phase: str) -> Iterable[Device]:
    """Yields the devices of one text, or of the file at a path."""
    if isinstance(text, Path):
        yield from read(text)
        return
    if not isinstance(text, str):
        raise ConfigError(f"on is a device's name or a Device, not {brief(text)}")
    for name in filter(None, map(str.strip, text.split(","))):
        if name.lower() == ALL:
            yield from known.values()
        elif name.lower().endswith(FILE):
            yield from read(Path(name))
        else:
            yield find_device(name, known, phase)


def find_device(name: str, known: Mapping[str, Device], phase: str = TRAIN) -> Device:
    """Returns the one device that a name or an alias means. Raises UnknownNameError, with those that it may mean."""
    wanted = _joined(_words(name))
    found = [device for device in known.values() if wanted in {_joined(_words(own)) for own in names(device)}]
    if len(found) == 1:
        return found[0]
    count = _counted(name, known)
    if count is not None:
        device, ranks = count
        raise UnknownNameError(
            f"device {brief(name)} is {device.name!r} and a number: each rank has one device, so name the device"
            + (TRAINED if phase == TRAIN else SERVED).format(ranks=ranks)
        )
    close = found or [device for device in known.values() if any(_part(name, own) for own in names(device))]
    close = close or [device for device in known.values() if any(_beginning(name, own) for own in names(device))]
    if len(close) > 1:
        *first, last = (device.name for device in close)
        raise UnknownNameError(f"device {brief(name)} may be {', '.join(first)} or {last}: name one of them")
    if close:
        raise UnknownNameError(f"unknown device {brief(name)}; did you mean {close[0].name!r}?")
    raise UnknownNameError(f"unknown device {brief(name)}{_closest(name, known)} ({WAY_OUT})")


WAY_OUT = "graphacct list devices shows them, and a TOML file adds others: docs/memory.md"


def _counted(name: str, known: Mapping[str, Device]) -> tuple[Device, int] | None:
    """Returns the device and the number of a text such as `2xh100`, `h100x2` or `8 h100`; None for another text."""
    found = re.fullmatch(r"(?:([0-9]{1,4})\s*[x×*\s]\s*)?(.+?)(?:\s*[x×*:]\s*([0-9]{1,4}))?", name.strip().lower())
    if found is None or (found[1] is None) == (found[3] is None):
        return None
    wanted, number = _joined(_words(found[2])), int(found[1] or found[3])
    devices = [device for device in known.values() if wanted in {_joined(_words(own)) for own in names(device)}]
    return (devices[0], number) if len(devices) == 1 and number > 1 else None


def names(device: Device) -> tuple[str, ...]:
    """Returns a device's name and its aliases."""
    return device.name, *device.aliases


def _words(name: str) -> list[str]:
    words = name.lower().replace("_", " ").replace("-", " ").split()
    while len(words) > 1 and words[0] in MAKERS:
        words = words[1:]
    return words


def _joined(words: Iterable[str]) -> str:
    return "".join(words)


def _part(name: str, own: str) -> bool:
    """Returns whether all words of a name are words of a device's own."""
    return set(_words(name)) <= set(_words(own))


def _beginning(name: str, own: str) -> bool:
    """Returns whether each word of a name begins one of a device's own, and cuts no number: `mi300` begins MI300X, and
    `a10` does not begin A100."""
    return all(
        any(re.match(rf"{re.escape(word)}(?!(?<=\d)\d)", other) for other in _words(own)) for word in _words(name)
    )


def _closest(name: str, known: Mapping[str, Any]) -> str:
    """Returns the tail of the message: the closest name as it is written."""
    spelt = {own.lower(): device.name for device in known.values() for own in names(device)}
    tail = suggest(name.lower(), spelt)
    for own, device in spelt.items():
        if tail == f"; did you mean {own!r}?":
            return f"; did you mean {device!r}?"
    return tail
