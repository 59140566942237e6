"""Devices in TOML files: the table that comes with graphacct, and a user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphacct.devices.device import Device
from graphacct.errors import ConfigError, ReadError, brief, suggest

TABLE = Path(__file__).parent / "devices.toml"
KEYS = ("name", "memory_gb", "memory_bytes", "source", "conflicts", "aliases", "vendor")
GB = 10**9
MOST_BYTES = 2**20
"""Of a file of devices; the table of known ones has 9,000."""
UNITS = ": write memory_gb (of 10⁹ bytes), or memory_bytes"


def read(path: Path) -> list[Device]:
    """Returns the devices of a TOML file: `[[device]]` tables with a `name`, and `memory_bytes` or `memory_gb`.

    `memory_bytes` is what the device reports; without it the capacity is memory_gb · 10⁹, which is marked as nominal.
    Raises ReadError, which names the file and the key.
    """
    import tomllib

    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise ReadError(f"{str(path)!r} has more than {MOST_BYTES:,} bytes: a file of devices has a few lines each")
        content = tomllib.loads(data.decode())
    except OSError as error:
        raise ReadError(f"cannot read the devices of {str(path)!r}: {error.strerror or error}") from error
    except RecursionError as error:
        raise ReadError(f"{str(path)!r} is nested too deep") from error
    except ValueError as error:  # no TOML, no UTF-8, or an integer of thousands of digits
        raise ReadError(f"{str(path)!r} is no TOML: {error}") from error
    tables = content.get("device")
    if not isinstance(tables, list) or not tables:
        raise ReadError(f'{str(path)!r} has no device: write [[device]], then name = "mine" and memory_gb = 24')
    return [_device(table, f"{str(path)!r}, device {place}") for place, table in enumerate(tables, 1)]


def _device(table: Any, where: str) -> Device:
    if not isinstance(table, dict):
        raise ReadError(f"{where} is {brief(table)}: write [[device]], then its keys")
    if isinstance(table.get("name"), str):
        where = f"{where} ({table['name']})"
    strange = next((key for key in table if key not in KEYS), None)
    if strange is not None:
        close = UNITS if strange.lower().startswith("memory") else suggest(strange, KEYS)
        raise ReadError(f"{where}: unknown key {strange!r}{close}")
    texts = {key: table[key] for key in ("name", "source", "conflicts", "vendor") if key in table}
    wrong = next((key for key, value in texts.items() if not isinstance(value, str)), None)
    if wrong is not None:
        raise ReadError(f"{where}: {wrong} is a text, not {brief(texts[wrong])}")
    if "name" not in table:
        raise ReadError(f"{where} has no name")
    aliases = table.get("aliases", [])
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise ReadError(f"{where}: aliases is a list of texts, not {brief(aliases)}")
    size, nominal = _memory(table, where)
    try:
        return Device(memory_bytes=size, nominal=nominal, aliases=aliases, **texts)
    except ConfigError as error:
        raise ReadError(f"{where}: {error}") from error


def _memory(table: dict[str, Any], where: str) -> tuple[int, bool]:
    """Returns the bytes, and whether they are nominal."""
    for key in ("memory_bytes", "memory_gb"):
        value = table.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ReadError(f"{where}: {key} is an integer above 0, not {brief(value)}{_exactly(key, value)}")
        return (value, False) if key == "memory_bytes" else (value * GB, True)
    raise ReadError(f"{where} has no memory: write memory_gb = 24, or memory_bytes as the device reports them")


def _exactly(key: str, value: Any) -> str:
    """Returns the tail of the message on a part of a gigabyte, with the bytes that it is."""
    if key != "memory_gb" or type(value) is not float or not 1 <= value * GB < GB**2:
        return ""
    return f": write memory_bytes = {round(value * GB):_}"
