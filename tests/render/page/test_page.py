"""The page as a file: whole, closed to everything outside, and small."""

from __future__ import annotations

import json
import re
import time
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from click.testing import CliRunner

import graphacct
from graphacct.cli import cli
from graphacct.errors import ConfigError, RenderError, UnknownNameError
from graphacct.render.page.command import command_of


def content(text: str) -> dict:
    """What a page shows, as plain values; paths and what nodes of a kind have in common are put back (parts.js)."""
    found = json.loads(re.search(r'<script type="application/json" id="content">(.*?)</script>', text, re.DOTALL)[1])
    for number, part in enumerate(found["parts"]):
        if number and "path" not in part:
            around = found["parts"][part["in"]]["path"]
            part["path"] = f"{around}.{part['name']}" if around else part["name"]
        if "of" in part:
            kind = found["kinds"][part["of"]]
            part.update(kind, formulas=found["formulas"][kind["formulas"]] if "formulas" in kind else {})
    return found


def conditions(found: dict) -> list[list[str]]:
    """What the guards of each region of a page say, one branch after the other."""
    return [[found["conditions"][place] for place in region] for regions in found["regions"] for region in regions]


def test_only_its_own_script_may_run() -> None:
    """The policy names the hashes of the one script and the one style, and allows no request."""
    text = graphacct.page("gpt2")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)[1]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for rule, element in (("script-src", r"<script>(.*?)</script>"), ("style-src", r"<style>(.*?)</style>")):
        (inner,) = re.findall(element, text, re.DOTALL)
        assert rules[rule] == f"'sha256-{b64encode(sha256(inner.encode()).digest()).decode()}'"
    assert rules["default-src"] == "'none'"
    assert "unsafe" not in policy
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    assert not re.search(r"\b(fetch|XMLHttpRequest|import|eval|Function|WebSocket|innerHTML)\b *\(", script)
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?!data:)http""", text)


def test_the_page_of_a_large_model_is_small_and_soon_written() -> None:
    """DeepSeek-V3 with all its formulas: 300 kB, 2 s of CPU on a quiet machine."""
    start = time.process_time()
    text = graphacct.page("deepseek-v3")
    assert len(text.encode()) <= 300_000
    assert time.process_time() - start <= 3


def test_nodes_that_are_alike_are_written_once() -> None:
    """The 727 nodes of a U-Net are of some 200 kinds, so that its page is half as large."""
    text = graphacct.page("stable-diffusion-v1-5-unet")
    assert len(text.encode()) <= 400_000


def test_the_command_writes_it(tmp_path: Path) -> None:
    """By the ending; the page knows which command its report is of, for sizes that it has no formula for."""
    path = tmp_path / "model.html"
    keys = ("--set", "n_layer=3", "--set", "activation_function=gelu")
    done = CliRunner().invoke(
        cli,
        ["draw", "gpt2", "--phase", "train", "--seq-len", "64", *keys, "--color-by", "saved_bytes", "-o", str(path)],
    )
    assert done.exit_code == 0, done.output
    found = content(path.read_text(encoding="utf-8"))
    assert found["command"] == "graphacct report gpt2 --phase train --set activation_function=gelu"
    assert found["color"] == "saved_bytes"
    assert {size["name"]: size["value"] for size in found["sizes"]} == {
        "batch": 1,
        "seq_len": 64,
        "vocab_size": 50257,
        "n_positions": 1024,
        "n_embd": 768,
        "n_layer": 3,
        "n_head": 12,
    }


def test_python_writes_the_same_command() -> None:
    """A page of `graphacct.page` and of `draw` in Python answers for other sizes with what a reader types."""
    options = {"phase": "train", "set": {"n_layer": 3, "activation_function": "gelu"}, "lora": ["8:c_attn"]}
    found = content(graphacct.page("gpt2", seq_len=64, **options))
    assert found["command"] == (
        "graphacct report gpt2 --phase train --set activation_function=gelu --lora 8:c_attn"  # n_layer has a field
    )
    assert found["typed"]


def test_what_nobody_can_type_has_no_command() -> None:
    """A model that is an object has no name on the command line."""
    assert command_of(graphacct.build("gpt2", seq_len=8), {}) == []
    assert command_of("gpt2", {"transforms": [("lora", {"adapters": ["8:*"]})]}) == []
    assert command_of("vit-base-patch16-224", {"image_size": (224, 336), "batch": 2, "dtype": ""})[2:] == [
        ("image_size", "--image-size 224x336"),
        ("batch", "--batch 2"),
    ]


def test_a_report_is_a_page_of_fixed_sizes(tmp_path: Path) -> None:
    """A report knows no other sizes; `draw` with a model's name leaves them open."""
    report = graphacct.account("gpt2", seq_len=32)
    assert content(graphacct.page(report))["sizes"] == []
    graphacct.draw("gpt2", tmp_path / "page.html")
    assert content((tmp_path / "page.html").read_text(encoding="utf-8"))["sizes"] != []


def test_what_is_drawn_unrolled_has_no_other_depth() -> None:
    """Each layer is a part, so that their number is fixed."""
    found = content(graphacct.page("gpt2", unroll=True, set={"n_layer": 3}))
    assert {"transformer.h.0", "transformer.h.1", "transformer.h.2"} <= {part["path"] for part in found["parts"]}
    assert [size["name"] for size in found["sizes"] if "fixed" in size] == ["n_layer"]


def test_a_depth_opens_as_many_levels() -> None:
    """`--depth 1` is the model's own parts alone."""
    found = content(graphacct.page("gpt2", depth=1))
    assert [found["parts"][number]["path"] for number in found["open"]] == [""]
    found = content(graphacct.page("gpt2", depth=2))
    assert [found["parts"][number]["path"] for number in found["open"]] == ["", "transformer"]


def test_what_has_no_page_says_so() -> None:
    """As a picture does: an unknown quantity, a depth of 0, a generation, symbols."""
    with pytest.raises(UnknownNameError, match="flop"):
        graphacct.page("gpt2", color_by="flop")
    with pytest.raises(ConfigError, match="at least 1"):
        graphacct.page("gpt2", depth=0)
    with pytest.raises(ConfigError, match="a page of a generation"):
        graphacct.page("gpt2", phase="generate", prompt_len=8, new_tokens=8)
    with pytest.raises(RenderError, match="1,900,006 nodes here, and a page at most 20,000: draw repeated blocks once"):
        graphacct.page("gpt2", unroll=True, set={"n_layer": 100_000}, quantities=["params"])
    sympy = pytest.importorskip("sympy")
    with pytest.raises(RenderError, match="give every size one"):
        graphacct.page(graphacct.account("gpt2", seq_len=sympy.Symbol("s", integer=True, positive=True)))


def test_what_is_only_looked_at_limits_no_branch() -> None:
    """Which lines of T5 are residual depends on whether two lengths are equal, and no figure does: the page is for any
    two, and for any batch."""
    found = content(graphacct.page("t5-small"))
    told = [{text for text in each if "2,147,483,647" not in text} for each in conditions(found)]
    assert told[0] == {"seq_len > 1", "encoder_seq_len > 1", "d_kv > 1", "num_heads > 1"}


def test_formulas_of_nodes_are_proven_for_each_branch() -> None:
    """Every formula in the names of an operator's signature is shown only in the branches of the rules in which it is
    the figure."""
    found = content(graphacct.page("bert-base-uncased"))
    nodes = [part for part in found["parts"] if "figures" in part]
    linear = next(part for part in nodes if part["path"].endswith("attention.self.query"))
    assert linear["formulas"]["matmul_flops"] == ["2 · batch · k · n"]
    assert set(linear["names"]) >= {"batch", "k", "n"}
    assert [len(regions) for regions in found["regions"]] == [
        7
    ]  # a sequence or several; all, fewer, one position; a head
    shown = sum(len(part["formulas"]) for part in nodes)
    assert shown >= 6 * len(nodes) * 0.9
