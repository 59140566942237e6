"""Images in squares: how a picture of any size is cut, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from graphacct_architectures.multimodal.parts.anyres import Cut, chosen, cut, unpadded

import graphacct

CONFIGS = {case["name"]: case["config"] for case in json.loads(Path(__file__).with_name("multimodal.json").read_text())}
LISTED = ((336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((336, 336), (336, 672)),
        ((336, 672), (336, 672)),
        ((500, 500), (672, 672)),
        ((1000, 300), (1008, 336)),
        ((200, 1000), (336, 1008)),
        ((4000, 3000), (672, 672)),
    ],
)
def test_the_size_that_a_picture_is_padded_to(size: tuple[int, int], expected: tuple[int, int]) -> None:
    """The one that keeps most pixels, and of equals the one with the least padding, as in LLaVA-NeXT's processor."""
    assert chosen(size, LISTED) == expected


def test_padding_is_whole_places_on_both_sides() -> None:
    """A picture of 1:2 in a grid of 48 by 48 fills 24 rows; 10:21 fills 22.86, of which 22 are counted, and the padding
    of 26 places is 13 on each side."""
    assert unpadded((100, 200), 48, 48) == (24, 48)
    assert unpadded((100, 210), 48, 48) == (48 - 2 * 13, 48)
    assert unpadded((210, 100), 48, 48) == (48, 48 - 2 * 13)


def test_tokens_of_a_picture() -> None:
    """LLaVA-1.6 for a picture of 672 × 672: 576 tokens of the whole, 48 rows of 48 of the grid and a newline each; for
    336 × 336, which is padded to 336 × 672, 24 rows of 24 and a newline."""
    assert cut((672, 672), LISTED, 336, 24) == Cut(2, 2, 48, 48)
    assert cut((336, 336), LISTED, 336, 24) == Cut(1, 2, 24, 24)
    for size, tokens in ((672, 576 + 48 * 49), (336, 576 + 24 * 25)):
        with pytest.raises(graphacct.ConfigError, match=f"the {tokens} placeholders of 1 images of {tokens} tokens"):
            graphacct.account("llava_next", image_size=size, seq_len=8)


def test_tiles_stand_for_a_picture_that_fills_them() -> None:
    """Five squares are four and the whole: the picture of 672 × 672."""
    tiles = graphacct.account("llava_next", tiles=5, seq_len=3000)
    picture = graphacct.account("llava_next", image_size=672, seq_len=3000)
    assert tiles.total == picture.total


@pytest.mark.parametrize(
    ("name", "changes", "options", "message"),
    [
        ("llava_next", {}, {"tiles": 2}, "tiles is 2; an image of these sizes (image_grid_pinpoints) has 3 or 4 or 5"),
        (
            "llava_next",
            {},
            {"tiles": 4, "image_size": (64, 64)},
            "tiles is 4, and an image of 64x64 is 5: leave tiles out, or image_size",
        ),
        (
            "llava_next",
            {"image_grid_pinpoints": [[32, "64"]]},
            {},
            "image_grid_pinpoints is a list of heights and widths in pixels, not [[32, '64']]",
        ),
        (
            "llava_next",
            {"image_grid_pinpoints": [[8, 64]]},
            {},
            "image_grid_pinpoints has a size below the 32 pixels of vision_config.image_size",
        ),
        (
            "llava_next",
            {"vision_feature_select_strategy": "full"},
            {},
            "a square of an image has 17 tokens and not 4x4: vision_feature_select_strategy is 'default' for a tower",
        ),
        (
            "llava_onevision",
            {"vision_aspect_ratio": "anyres_max_many"},
            {},
            "vision_aspect_ratio is anyres_max_N with a number N, as anyres_max_9, not 'anyres_max_many'",
        ),
        (
            "llava_onevision",
            {},
            {"images": 2, "tiles": 5},
            "tiles is 5: a picture is cut if it is the only one of a sequence",
        ),
        (
            "aria",
            {},
            {"image_size": 24},
            "an image has 9 patches, and projector_patch_to_query_dict knows how many queries ask 16 or 36",
        ),
        ("aria", {"projector_patch_to_query_dict": {"16": 0}}, {}, "projector_patch_to_query_dict has 0, which is no"),
        ("aria", {"vision_feature_layer": [-1, -2]}, {}, "vision_feature_layer is [-1, -2]: Aria reads one layer"),
    ],
)
def test_what_is_refused(name: str, changes: dict[str, Any], options: dict[str, Any], message: str) -> None:
    """An error names the key or the size, its value and the way out."""
    with pytest.raises(graphacct.GraphacctError) as error:
        graphacct.account({**CONFIGS[name], **changes}, **{"seq_len": 400, **options})
    assert message in str(error.value)
