"""A device is found by its name, and never another one."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphacct import Device
from graphacct.devices.find import find_device, find_devices, names
from graphacct.errors import ConfigError, UnknownNameError
from graphacct.hooks.manager import default

KNOWN = default().devices


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("h100", "H100-SXM"),
        ("H100-SXM", "H100-SXM"),
        ("NVIDIA H100 80GB HBM3", "H100-SXM"),
        ("a100-80gb", "A100-SXM4-80GB"),
        ("NVIDIA A100-SXM4-80GB", "A100-SXM4-80GB"),
        ("A100_PCIe_80GB", "A100-PCIe-80GB"),
        ("rtx-4090", "RTX-4090"),
        ("NVIDIA GeForce RTX 4090", "RTX-4090"),
        ("rtx4090", "RTX-4090"),
        ("mi300x", "MI300X"),
        ("AMD Instinct MI300X", "MI300X"),
        ("tpu v5e", "TPU-v5e"),
        ("GB200", "GB200"),
        ("l40s", "L40S"),
        ("Tesla T4", "T4"),
        ("Tesla V100-SXM2-32GB", "V100-SXM2-32GB"),
        ("NVIDIA A100 80GB PCIe", "A100-PCIe-80GB"),
        ("NVIDIA RTX PRO 6000 Blackwell Server Edition", "RTX-PRO-6000-Server"),
    ],
)
def test_case_blanks_and_the_makers_name_do_not_matter(asked: str, name: str) -> None:
    """As people and drivers write it."""
    assert find_device(asked, KNOWN).name == name


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("a100", "device 'a100' may be A100-SXM4-40GB, A100-SXM4-80GB or A100-PCIe-80GB: name one of them"),
        ("rtx", "may be RTX-A6000, RTX-4090, RTX-3090, RTX-5090 or RTX-PRO-6000-Server"),
        ("v100", "unknown device 'v100'; did you mean 'V100-SXM2-32GB'?"),  # there is one of 16 GB
        ("m2", "unknown device 'm2'; did you mean 'M2-Ultra'?"),
        ("gh200", "did you mean 'GH200-144GB'?"),  # there is one of 96 GB
        ("l40", "did you mean 'L40S'?"),
        ("a10g", "did you mean 'A10'?"),
        ("h1000", "did you mean 'H100-SXM'?"),
        ("rtx-4080", "unknown device 'rtx-4080'"),
        ("gaudi", "device 'gaudi' may be Gaudi2 or Gaudi3: name one of them"),
        ("tpu-v5", "device 'tpu-v5' may be TPU-v5e or TPU-v5p: name one of them"),
        ("a100-80", "device 'a100-80' may be A100-SXM4-80GB or A100-PCIe-80GB: name one of them"),
        ("mi300", "unknown device 'mi300'; did you mean 'MI300X'?"),
        ("abacus", "unknown device 'abacus' (graphacct list devices shows them"),
    ],
)
def test_part_of_a_name_is_none(asked: str, words: str) -> None:
    """Another device would be a wrong answer: the error lists those that it may be."""
    with pytest.raises(UnknownNameError) as error:
        find_device(asked, KNOWN)
    assert words in str(error.value)


def test_every_name_means_one_device() -> None:
    """Names and aliases of the table are apart."""
    for device in KNOWN.values():
        for name in names(device):
            assert find_device(name, KNOWN) is device


def test_several_are_found_in_order_and_once(tmp_path: Path) -> None:
    """Names in a text, texts in a list, all, Devices of one's own, and a file of them."""
    assert [device.name for device in find_devices("h100, t4,H100-SXM", KNOWN)] == ["H100-SXM", "T4"]
    own = Device("mine", 10**9)
    assert [device.name for device in find_devices(["t4", own], KNOWN)] == ["T4", "mine"]
    file = tmp_path / "mine.toml"
    file.write_text('[[device]]\nname = "box"\nmemory_gb = 12\n')
    for asked in file, str(file), [file]:
        assert [device.name for device in find_devices(asked, KNOWN)] == ["box"]
    assert find_devices("ALL", KNOWN) == tuple(KNOWN.values())
    assert len(find_devices("all", KNOWN)) == 41


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("", "on is '', which names no device"),
        (" , ", 'write on="h100,a100-80gb" or on="all"'),
        ([], "which names no device"),
        ([7], "on is a device's name or a Device, not 7"),
        (24 * 10**9, "on is a device's name or a Device, not 24000000000"),
        (b"h100", "on is a device's name or a Device, not b'h100'"),
        ([Device("x", 1), Device("x", 2)], "on names two devices 'x', of 1 and of 2 bytes: rename one"),
    ],
)
def test_what_names_no_device_is_refused(asked: object, words: str) -> None:
    """With the way to write it."""
    with pytest.raises(ConfigError) as error:
        find_devices(asked, KNOWN)  # type: ignore[arg-type]
    assert words in str(error.value)


def test_a_plugin_may_take_an_alias_from_none(tmp_path: Path) -> None:
    """Two devices with one alias: the name is ambiguous, and the error lists both."""
    known = {"a": Device("a", 1, aliases=("box",)), "b": Device("b", 2, aliases=("Box",))}
    with pytest.raises(UnknownNameError, match="device 'box' may be a or b: name one of them"):
        find_device("box", known)
