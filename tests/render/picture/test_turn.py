"""U-Nets: a main path that turns, and rises beside itself."""

from __future__ import annotations

import pytest

from graphacct import Builder, Graph, Report, account, diff
from graphacct.hooks.manager import default
from graphacct.render.picture import layout
from graphacct.render.picture.bundles import bundled
from graphacct.render.picture.dot import drawn
from graphacct.render.picture.shapes import crossed, items_of
from graphacct.render.picture.stage import scene
from graphacct.render.picture.turn import Turn, turn


@pytest.fixture(scope="module")
def unet() -> Report:
    return account("stable-diffusion-v1-5-unet", quantities=["params", "flops"])


def found(report: Report, depth: int | None = None) -> Turn | None:
    picture = scene(report, default(), depth)
    return turn(picture, bundled(picture)[0])


def layers(order: list[int]) -> Graph:
    """Four layers that go down, one, and four that go up, each with the output of one of the first."""
    builder = Builder("u", default().operators)
    value = builder.input("x", (1, 8))
    down = [value := builder.apply("relu", value, name=f"down.{level}") for level in range(4)]
    value = builder.apply("relu", value, name="mid")
    for place, level in enumerate(order):
        value = builder.apply("concat", value, down[level], name=f"up.{place}", dim=-1)
    return builder.graph(value)


def test_the_last_that_is_given_is_used_first() -> None:
    """Otherwise the arrows across would cross each other."""
    path = found(account(layers([3, 2, 1, 0])), 2)
    assert path is not None
    assert found(account(layers([0, 1, 2, 3])), 2) is None
    assert found(account(layers([3, 2])), 2) is None, "two skips are no U"


@pytest.mark.parametrize("name", ["gpt2", "resnet50", "t5-small", "llava-1.5-7b", "mamba-130m"])
@pytest.mark.parametrize("depth", [None, 2])
def test_other_models_do_not_turn(name: str, depth: int | None) -> None:
    """Residuals stay on one side."""
    assert found(account(name, quantities=["params", "flops"]), depth) is None


def test_a_u_net_looks_like_one(unet: Report) -> None:
    """The second half rises at the right; each skip is a straight arrow to the right, through no box."""
    source = drawn(unet, depth=2, narrow=True).source
    names = drawn(unet, depth=2, narrow=True).paths
    items = [item for item in items_of(layout(source).split("\n")) if item.points]
    at = {names[item.title]: item.around() for item in items if item.kind == "node"}
    assert at["conv_in"][1] < at["down_blocks.0.resnets.0"][1] < at["down_blocks.3.resnets.0"][1]
    assert at["down_blocks.3.resnets.0"][1] < at["mid_block.resnets.0"][1]
    assert at["up_blocks.0.resnets.0"][1] > at["up_blocks.3.resnets.0"][1] > at["conv_out"][1]
    assert max(at[name][2] for name in at if name.startswith("down_")) < min(
        at[name][0] for name in at if name.startswith("up_")
    )
    skips = [item for item in items if item.across]
    assert len(skips) == 12  # three of each of four blocks
    for skip in skips:
        assert len({round(y) for _, y in skip.points}) == 1
        ends = [names[end.partition(":")[0]] for end in skip.title.split("&#45;&gt;")]
        others = [place for name, place in at.items() if name not in ends]
        assert not any(crossed(place, [(skip.around(), skip.points)]) for place in others)


def test_what_rises_points_up(unet: Report) -> None:
    """An arrow is drawn from its end, since a layout runs down, and its head is at that end."""
    picture = drawn(unet, depth=1, narrow=True)
    at = {path: name for name, path in picture.paths.items()}
    assert f"{at['up_blocks.1']} -> {at['up_blocks.0']} [dir=back" in picture.source


def test_the_diff_of_two_looks_like_one_too() -> None:
    """With words in place of arrows for what all blocks use, in both models."""
    found = diff("stable-diffusion-v1-5-unet", "stable-diffusion-2-1-base-unet")
    source = found.draw().source
    assert source.count("class=across") == 8
    assert source.count("with time_embedding, encoder_hidden_states") == 6


def test_a_picture_that_nobody_can_read_does_not_turn(unet: Report) -> None:
    """With 395 boxes it would take minutes."""
    with pytest.warns(UserWarning, match="395 boxes"):
        source = drawn(unet, depth=3).source
    assert "class=across" not in source
