"""Devices in TOML: the table that comes with graphacct, and a user's own file."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphacct import Device
from graphacct.devices.files import TABLE, read
from graphacct.devices.find import find_devices
from graphacct.errors import ConfigError, ReadError
from graphacct.hooks.manager import default, load


def test_the_table_has_a_source_for_every_device() -> None:
    """41 devices; a capacity is what the device reports, or is marked as nominal: GB of 10^9 bytes."""
    devices = read(TABLE)
    assert len(devices) == 41
    assert all(device.source for device in devices)
    assert all(device.memory_bytes % 10**9 == 0 for device in devices if device.nominal)
    by_name = {device.name: device for device in devices}
    assert (by_name["H100-SXM"].memory_bytes, by_name["H100-SXM"].nominal) == (81_559 * 2**20, False)
    assert (by_name["L40S"].memory_bytes, by_name["L40S"].nominal) == (48_305_799_168, False)
    assert (by_name["RTX-4090"].memory_bytes, by_name["RTX-4090"].nominal) == (24_000_000_000, True)
    assert "conflict" in by_name["B300-SXM"].conflicts


def test_a_nominal_capacity_is_no_more_than_devices_report() -> None:
    """Where both are known, the report has 0.1 to 7.4 % more than the name's gigabytes: GiB at most. So nominal figures
    are of 10^9 bytes: one in GiB would be too large for some (L40S: 45.0 GiB of 48)."""
    import tomllib

    tables = tomllib.loads(TABLE.read_text())["device"]
    known = {table["name"]: table["memory_bytes"] / table["memory_gb"] for table in tables if "memory_bytes" in table}
    assert len(known) == 17
    assert all(1.001e9 < ratio <= 2**30 for ratio in known.values())
    assert known["L40S"] / 1e9 < 1.007
    assert {name for name, ratio in known.items() if ratio == 2**30} >= {"A100-SXM4-80GB", "A30", "Arc-Pro-B60"}


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    """All its devices are taken; beside registered ones too."""
    file = tmp_path / "mine.toml"
    file.write_text(
        '[[device]]\nname = "box"\nmemory_gb = 12\n\n[[device]]\nname = "slice"\nmemory_bytes = 42949672960\n'
        'source = "nvidia-smi"\naliases = ["half"]\nmemory_gb = 40\n'
    )
    assert read(file) == [
        Device("box", 12 * 10**9, nominal=True),
        Device("slice", 42_949_672_960, "nvidia-smi", aliases=("half",)),
    ]
    found = find_devices(f"h100,{file}", default().devices)
    assert [device.name for device in found] == ["H100-SXM", "box", "slice"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no device: write [[device]], then name"),
        ("device = 3", "has no device: write [[device]]"),
        ("device = [3]", "device 1 is 3: write [[device]]"),
        ("[[device]\n", "is no TOML: "),
        ("[[device]]\nmemory_gb = 3", "device 1 has no name"),
        ('[[device]]\nname = "x"', "device 1 (x) has no memory: write memory_gb = 24, or memory_bytes"),
        ('[[device]]\nname = "x"\nmemory_gb = 1.5', "memory_gb is an integer above 0, not 1.5"),
        ('[[device]]\nname = "x"\nmemory_gb = 23.5', "not 23.5: write memory_bytes = 23_500_000_000"),
        ('[[device]]\nname = "x"\nmemory_gib = 24', "'memory_gib': write memory_gb (of 10⁹ bytes), or memory_bytes"),
        ('[[device]]\nname = "x"\nmemory_bytes = 0', "memory_bytes is an integer above 0, not 0"),
        ('[[device]]\nname = "x"\nmemory_gb = true', "memory_gb is an integer above 0, not True"),
        ('[[device]]\nname = "x"\nmemory = 3', "unknown key 'memory'"),
        ("[[device]]\nname = 3\nmemory_gb = 3", "name is a text, not 3"),
        ('[[device]]\nname = "x"\nmemory_gb = 3\naliases = "y"', "aliases is a list of texts, not 'y'"),
        ('[[device]]\nname = "a,b"\nmemory_gb = 3', "a device's name is a text without a comma, not 'a,b'"),
    ],
)
def test_a_fault_in_a_file_names_its_place(tmp_path: Path, text: str, words: str) -> None:
    """The file, the device, the key and the value."""
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(ReadError) as error:
        read(file)
    assert words in str(error.value)
    assert "mine.toml" in str(error.value)


def test_a_file_of_devices_is_small_and_flat(tmp_path: Path) -> None:
    """A deep one, one without an end and an integer of thousands of digits are refused in a line."""
    file = tmp_path / "mine.toml"
    file.write_text("device = " + "[" * 100_000)
    with pytest.raises(ReadError, match=r"mine.toml' is nested too deep$"):
        read(file)
    with pytest.raises(ReadError, match=r"^'/dev/zero' has more than 1,048,576 bytes: a file of devices"):
        read(Path("/dev/zero"))
    file.write_text(f'[[device]]\nname = "x"\nmemory_bytes = {"9" * 5000}')
    with pytest.raises(ReadError, match=r"mine.toml' is no TOML: "):
        read(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"cannot read the devices of '.*none.toml': No such file"):
        read(tmp_path / "none.toml")


def test_a_device_has_bytes() -> None:
    """A number of gigabytes in a fraction is no number of bytes."""
    with pytest.raises(ConfigError, match=r"device 'x': memory_bytes is a number of bytes, not 2.5"):
        Device("x", 2.5)  # type: ignore[arg-type]


@pytest.mark.parametrize("names", ["half", 3])
def test_aliases_are_a_list(names: object) -> None:
    """A single text would be an alias for each of its letters."""
    with pytest.raises(ConfigError, match=rf"a device's aliases are a list of names, not {names!r}"):
        Device("x", 2, aliases=names)  # type: ignore[arg-type]


def test_a_plugin_registers_devices(tmp_path: Path) -> None:
    """Beside the core's table, and in place of one of its devices if it says so."""
    file = tmp_path / "cluster.py"
    file.write_text(
        "import graphacct\n\n\n@graphacct.hookimpl\ndef graphacct_register_devices():\n"
        "    return [graphacct.Device('node', 3), graphacct.Device('T4', 5, 'measured', replaces=True)]\n"
    )
    devices = load(files=[str(file)]).devices
    assert (devices["node"].memory_bytes, devices["T4"].memory_bytes, len(devices)) == (3, 5, 42)
