"""Long columns in several parts."""

from __future__ import annotations

import re

import pytest

from graphacct import Report, account
from graphacct.hooks.manager import default
from graphacct.render.picture import fitting, markup, png, svg
from graphacct.render.picture.across import rightwards
from graphacct.render.picture.breaks import breaks
from graphacct.render.picture.bundles import bundled
from graphacct.render.picture.dot import drawn
from graphacct.render.picture.stage import scene


@pytest.fixture(scope="module")
def resnet() -> Report:
    return account("resnet50", quantities=["params", "flops"])


def ends(report: Report, depth: int, columns: int) -> list[tuple[str, str, str]]:
    """The boxes at each end of the arrows where the main path is broken, and the box below which a column begins."""
    found = scene(report, default(), depth)
    arrows, _ = bundled(found)
    known = {box.id: box.path for box in found.boxes}
    broken = breaks(found, arrows, columns)
    return [
        (*(known[end] for end in arrow.ends), known[broken[arrow.index]]) for arrow in arrows if arrow.index in broken
    ]


def test_the_main_path_is_broken_where_one_arrow_goes_on(resnet: Report) -> None:
    """Not before a stage's first layer, which two arrows lead to, and not inside of a layer."""
    ((tail, head, top),) = ends(resnet, 2, 2)
    assert (tail, head, top) == ("layer2.0.relu_3", "layer2.*.carry_0", "images")
    assert len(ends(resnet, 2, 3)) == 2


def test_columns_in_a_frame_begin_below_what_leads_into_it() -> None:
    """Zamba2's are in the frame of the model; what all layers share is a word, and no arrow."""
    ((tail, head, top),) = ends(account("zamba2-1.2b", quantities=["params", "flops"]), 3, 2)
    assert tail.endswith("mamba_decoder")
    assert head.startswith("model.layers")
    assert top == "input_ids"


def test_skips_leave_no_place_to_break() -> None:
    """A U-Net stays one column."""
    assert ends(account("stable-diffusion-v1-5-unet", quantities=["params", "flops"]), 2, 2) == []


def test_a_long_picture_is_in_columns_from_left_to_right(resnet: Report) -> None:
    """Its text is half as large again; a short one stays as it is."""
    picture = svg(resnet, depth=2)
    assert 'class="edge across"' in picture
    assert rightwards(picture)
    one = svg(resnet, depth=2, width_cm=30)
    assert 'class="edge across"' not in one
    assert fitting(*markup.dimensions(picture)) > 1.4 * fitting(850, 3725)
    assert 'class="edge across"' not in svg(resnet, depth=1)


def test_a_png_is_broken_at_the_same_place(resnet: Report) -> None:
    """With the boxes of the SVG, since the arrow is not where a layout would draw it."""
    width, height = markup.dimensions(svg(resnet, depth=2))
    content = png(resnet, depth=2)
    pixels = [int.from_bytes(content[at : at + 4], "big") for at in (16, 20)]
    assert pixels[0] / pixels[1] == pytest.approx(width / height, rel=0.1)  # the words around it are less wide


def test_columns_keep_every_box_and_arrow(resnet: Report) -> None:
    one, two = (drawn(resnet, depth=2, columns=columns).source for columns in (1, 2))
    shown = [re.findall(r"n\d+ -> n\d+ \[(?!style=invis)", source) for source in (one, two)]
    assert sorted(shown[0]) == sorted(shown[1])
