"""Arrows that are drawn as one, and those that are words."""

from __future__ import annotations

import re

import pytest

from graphacct import Report, account
from graphacct.hooks.manager import default
from graphacct.render.picture import fitting, markup, svg
from graphacct.render.picture.bundles import OFTEN, bundled
from graphacct.render.picture.dot import drawn
from graphacct.render.picture.scene import Scene
from graphacct.render.picture.stage import scene


@pytest.fixture(scope="module")
def unet() -> Report:
    return account("stable-diffusion-v1-5-unet", quantities=["params", "flops"])


def ends(found: Scene) -> list[tuple[str, str, int]]:
    """The boxes at the ends of each arrow, with how many values it stands for."""
    known = {box.id: box.path for box in found.boxes}
    arrows, _ = bundled(found)
    return [(known[arrow.edges[0].tail], known[arrow.edges[0].head], len(arrow.edges)) for arrow in arrows]


def test_values_between_closed_scopes_are_one_arrow(unet: Report) -> None:
    """A stage's skips to one stage, with how many they are."""
    found = ends(scene(unet, default(), 1))
    assert ("down_blocks.0", "up_blocks.3", 2) in found
    assert len({pair[:2] for pair in found}) == len(found)
    assert "2 × [1, 320, 64, 64]" in drawn(unet, depth=1).source


def test_a_value_that_many_use_is_a_word_in_their_boxes(unet: Report) -> None:
    """The step's embedding goes to nine stages: one arrow shows where it enters, the other stages say so."""
    found = scene(unet, default(), 1)
    arrows = ends(found)
    assert [head for tail, head, _ in arrows if tail == "time_embedding"] == ["down_blocks.0"]
    known = {box.id: box.path for box in found.boxes}
    said = {known[head]: [known[tail] for tail in tails] for head, tails in bundled(found)[1].items()}
    assert said["mid_block"] == ["time_embedding", "encoder_hidden_states"]
    assert len(said) == 8 >= OFTEN
    box = next(line for line in drawn(unet, depth=1).source.splitlines() if "<B>mid_block</B>" in line)
    assert ">with time_embedding, encoder_hidden_states<" in box


def test_every_value_is_drawn_or_said() -> None:
    """None is lost, at any depth."""
    for name in ("llama-3-8b", "t5-base", "stable-diffusion-v1-5-unet", "zamba2-1.2b"):
        report = account(name, quantities=["params", "flops"])
        for depth in (1, 2, 3):
            found = scene(report, default(), depth)
            arrows, said = bundled(found)
            shown = {(edge.tail, edge.head) for arrow in arrows for edge in arrow.edges}
            shown |= {(tail, head) for head, tails in said.items() for tail in tails}
            assert shown == {(edge.tail, edge.head) for edge in found.edges if edge.kind != "tied"}


def test_a_node_has_an_arrow_for_each_operand() -> None:
    """Query, key and value of one projection; cosine and sine of rotary tables if these are open, else they are one."""
    found = ends(scene(account("gpt2-xl", quantities=["params", "flops"]), default()))
    assert sum(tail.endswith("c_attn") for tail, _, _ in found) == 3
    llama = account("llama-3-8b", quantities=["params", "flops"])
    found = ends(scene(llama, default()))
    assert [count for tail, _, count in found if tail == "model.rotary_emb"] == [2, 2]
    found = ends(scene(llama, default(), 4))
    assert sum(head.endswith("q_rope") and "table" in tail for tail, head, _ in found) == 2
    assert [count for tail, _, count in ends(scene(llama, default(), 2)) if tail == "model.rotary_emb"] == [2]


def test_a_unet_fits_a_page(unet: Report) -> None:
    """Its text is 4.5 points on a page, or 6.5 on a slide; with all arrows it was 2.5."""
    picture = svg(unet)
    assert 9 * fitting(*markup.dimensions(picture)) > 4.4
    assert len(re.findall(r'class="edge"', picture)) < 35
