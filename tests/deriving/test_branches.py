"""The branches of a model's rules: at sizes that one speaks for, its formulas are the figures of a report there."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from itertools import islice

import pytest

import graphacct
from graphacct.deriving.branches import Branch, Branches, branches
from graphacct.deriving.symbols import with_sizes
from graphacct.formulas.evaluate import Evaluation
from graphacct.hooks.manager import default
from graphacct.models.find import find_model

FEW = ("params", "flops", "read_bytes", "activation_bytes")


def branches_of(name: str, **options) -> Branches:
    """The branches of a model that a page has."""
    found = find_model(name, default(), {})
    report = graphacct.account(found, **options)
    return branches(lambda **given: graphacct.account(found, **given), found, options, report, default())


def near(found: Branches, chance: random.Random) -> Iterator[Mapping[str, int]]:
    """Sizes near the model's own, some of them 1."""
    own = {symbol.name: symbol.value for symbol in found.symbols}
    movable = [name for name in own if name not in found.fixed]
    while True:
        point = {name: chance.choice([1, 2, 3, own[name] // 2 or 1, 2 * own[name]]) for name in movable}
        kept = [name for name in movable if chance.random() < 0.7]
        yield {**own, **point, **{name: own[name] for name in kept}}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gpt2", {}),
        ("t5-small", {}),
        ("vit-base-patch16-224", {}),
        ("llama-3-8b", {"phase": "decode", "cache_len": 4096}),
        ("deepseek-v3", {"phase": "train", "quantities": ["params", "step_flops", "saved_bytes"], "seq_len": 64}),
    ],
)
def test_a_branch_says_what_a_report_says(name: str, options: dict) -> None:
    """Also in the regions that were only found to say the same as another one."""
    options = {"quantities": FEW, **options}
    found = branches_of(name, **options)
    chance, compared, seen = random.Random(name), 0, set()
    for point in islice(near(found, chance), 200):
        at = [(branch, region) for branch in found.branches for region in branch.regions if region.holds(point)]
        if not at:
            continue
        compared += 1
        report = graphacct.account(name, **with_sizes(options, point, found.symbols))
        for branch, region in at:
            assert at_sizes(branch, point) == [list(row) for row in report.values], point
            seen.add(id(region))
        if compared == 6:
            break
    assert compared == 6
    assert seen


def at_sizes(branch: Branch, point: Mapping[str, int]) -> list[list]:
    """The figures of a branch at some sizes."""
    at = Evaluation(branch.trace, point)
    return [[at.of(figure) for figure in row] for row in branch.report.values]


def test_one_sequence_and_several_have_one_table() -> None:
    """GPT-2's formulas are the same for a batch or a length of 1, and for one head, and so are kept once."""
    found = branches_of("gpt2", quantities=FEW)
    (branch,) = found.branches
    assert [dict(region.held) for region in branch.regions] == [
        {},
        {"batch": 1},
        {"seq_len": 1},
        {"batch": 1, "seq_len": 1},
        {"n_head": 1},
    ]


def test_a_report_that_differs_is_a_branch_of_its_own() -> None:
    """DeepSeek's experts get their tokens in another memory order if there is one position alone."""
    found = branches_of("deepseek-v3", quantities=FEW)
    assert len(found.branches) == 2
    assert [{**region.held}.get("seq_len") for region in found.branches[1].regions] == [1, 1]


def test_an_image_has_another_size_together_with_the_learned_positions() -> None:
    """The size of the workload, and the key of the configuration with it; a decoding step has one token."""
    found = branches_of("clip-vit-base-patch32", quantities=FEW)
    (size,) = [symbol for symbol in found.symbols if symbol.name == "image_size"]
    assert size.key == "vision_config.image_size"
    assert "image_size" not in found.fixed
    for asked in ({}, {"seq_len": 64}, {"cache_len": 63}):
        decoding = branches_of("gpt2", phase="decode", quantities=FEW, **asked)
        assert decoding.fixed == {"seq_len": "a decoding step has one new token; cache_len says how many are before it"}
        assert decoding.branches
