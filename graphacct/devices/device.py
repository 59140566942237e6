"""A device: a name, and the bytes that its memory has."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from graphacct.errors import ConfigError, brief


def _bytes(device: Device, attribute: attrs.Attribute[int], value: object) -> None:
    if type(value) is not int or value < 1:
        raise ConfigError(f"device {brief(device.name)}: {attribute.name} is a number of bytes, not {brief(value)}")


def _name(device: Device, attribute: attrs.Attribute[str], value: object) -> None:
    if not isinstance(value, str) or not value.strip() or "," in value:
        raise ConfigError(f"a device's name is a text without a comma, not {brief(value)}")


def _aliases(names: object) -> tuple[str, ...]:
    if isinstance(names, str) or not isinstance(names, Iterable):
        raise ConfigError(f"a device's aliases are a list of names, not {brief(names)}")
    return tuple(names)


@attrs.frozen(repr=False)
class Device:
    """A device, of which one rank has one.

    Attributes:
        name: What users call it; case, blanks, `-` and `_` do not matter.
        memory_bytes: The bytes of its memory.
        source: Where that figure is from.
        nominal: Whether the bytes are those of the product's name (80 GB as 80 · 10⁹) and not what the device reports.
        conflicts: What sources disagree on, or what the figure leaves open.
        aliases: Other names that mean this device and no other.
        vendor: Who makes it.
        replaces: Whether it replaces another plugin's device of the same name.
    """

    name: str = attrs.field(validator=_name)
    memory_bytes: int = attrs.field(validator=_bytes)
    source: str = ""
    nominal: bool = attrs.field(default=False, kw_only=True)
    conflicts: str = attrs.field(default="", kw_only=True)
    aliases: tuple[str, ...] = attrs.field(default=(), converter=_aliases, kw_only=True)
    vendor: str = attrs.field(default="", kw_only=True)
    replaces: bool = attrs.field(default=False, kw_only=True)

    def __repr__(self) -> str:
        return f"<Device {self.name}: {self.memory_bytes} bytes>"

    @property
    def doc(self) -> str:
        """Where its memory's size is from."""
        return self.source
