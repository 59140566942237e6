"""docs/torchvision.md: every classifier is equal to what torchvision publishes, and to our own where we have it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import graphacct
from graphacct.models.find import presets

PAGE = (Path(__file__).parents[2] / "docs" / "torchvision.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| (\d+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d.]+) G \| (.*) \|$", PAGE, re.M)
OWN = {f"convnext_{size}": f"convnext-{size}-224" for size in ("tiny", "small", "base", "large")}
"""The names that graphacct-vision has for the same classifiers, where they are others."""
PRESETS = {name for name, architecture in presets().items() if name in architecture.presets}
OURS = [(row, OWN.get(row[0], row[0])) for row in ROWS if OWN.get(row[0], row[0]) in PRESETS]


def number(text: str) -> int:
    return int(text.replace(",", ""))


def test_the_page_has_all_classifiers_and_none_differs() -> None:
    """torchvision 0.28 has 80; vision transformers and RegNets have weights for two sizes of images."""
    assert len({row[0] for row in ROWS}) == 80
    assert f"80 classifiers in {len(ROWS)} rows: {len(ROWS)} equal in both figures." in PAGE
    for name, _, params, published, macs, published_macs, remark in ROWS:
        assert params == published, name
        assert abs(number(macs) / 10**9 - float(published_macs)) < 0.00051, name
        assert remark == ("¹" if name == "googlenet" else remark if name.startswith("vit_") else ""), name


@pytest.mark.parametrize(("row", "name"), OURS, ids=[name for _, name in OURS])
def test_our_own_architectures_are_equal_to_the_captured(row: tuple[str, ...], name: str) -> None:
    """The ResNets and ConvNeXts of graphacct-vision, which a machine without torch has."""
    total = graphacct.account(name, image_size=int(row[1]), quantities=("params", "macs")).total
    assert (total["params"], total["macs"]) == (number(row[2]), number(row[4]))


def test_our_own_are_many() -> None:
    """Ten ResNets, ResNeXts and wide ResNets, four ConvNeXts."""
    assert len(OURS) == 14
