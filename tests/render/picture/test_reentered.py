"""Open scopes that the model enters more than once."""

from __future__ import annotations

import re

from graphacct import Builder, Report, account
from graphacct.hooks.manager import default
from graphacct.render.picture.dot import drawn
from graphacct.render.picture.reentered import parted
from graphacct.render.picture.scene import Scene
from graphacct.render.picture.stage import scene
from graphacct.reports.rows import adder


def frames(report: Report, depth: int) -> Scene:
    """The scene with a frame for each time that a scope is entered."""
    return parted(scene(report, default(), depth), adder(report.quantities))


def test_berts_norms_after_the_residual_are_below_it() -> None:
    """Outside of attention's and output's frames, under names that say whose they are; what a frame states is what is
    in it, and all together is the model's."""
    report = account("bert-base-uncased", quantities=["params", "flops"])
    found = frames(report, 9)
    layer = next(chain for chain in found.scopes if chain[-1].endswith("layer.*"))
    names = [box.name for box in found.boxes if box.scopes == layer and box.kind == "node"]
    assert names == [
        "attention_residual",
        "attention.output.LayerNorm",
        "output.dense",
        "output_residual",
        "output.LayerNorm",
    ]
    attention = found.scopes[(*layer, f"{layer[-1]}.attention")]
    norm = report["bert.encoder.layer.*.attention.output.LayerNorm"].figures
    whole = report["bert.encoder.layer.*.attention"].figures
    assert attention.figures == tuple(all_ - one for all_, one in zip(whole, norm, strict=True))
    total = [sum(figures) for figures in zip(*(box.figures for box in found.boxes), strict=True)]
    assert total == [report.total[quantity.name] for quantity in report.quantities]


def test_no_frame_is_left_and_entered_again() -> None:
    """LLaVA's images are merged between the language model's embedding, which is alone, and its layers. The rotary
    tables, which run before, are with those that use them."""
    found = frames(account("llava-1.5-7b", quantities=["params", "flops"]), 3)
    boxes = {box.path: box for box in found.boxes}
    assert boxes["model.language_model.embed_tokens"].name == "language_model.embed_tokens"
    assert boxes["model.language_model.rotary_emb"].scopes == boxes["model.language_model.layers.*"].scopes
    assert not any(scope.visit != (1, 1) for scope in found.scopes.values())


def test_parts_of_several_boxes_have_frames_that_are_numbered() -> None:
    """a runs twice, around a node that is outside of it."""
    builder = Builder("twice")
    value = builder.input("x", (4,))
    for name in ("a.one", "a.two", "between", "a.three", "a.four"):
        value = builder.apply("relu", value, name=name)
    report = account(builder.graph(value))
    found = frames(report, 9)
    assert [(scope.path, scope.visit) for scope in found.scopes.values()] == [("a", (1, 2)), ("a", (2, 2))]
    flops = [quantity.name for quantity in report.quantities].index("flops")
    assert [scope.figures[flops] for scope in found.scopes.values()] == [8, 8]
    lines = [line for line in drawn(report, depth=9).source.splitlines() if "<B>a</B>" in line]
    assert [re.findall(r"part \d of \d", line) for line in lines] == [["part 1 of 2"], ["part 2 of 2"]]


def test_a_model_without_such_scopes_is_as_it_was() -> None:
    """The same scene."""
    report = account("gpt2", quantities=["params", "flops"])
    whole = scene(report, default(), 4)
    assert parted(whole, adder(report.quantities)) is whole
