"""docs/certification.md is of the models as they are now: `make certify` was run after the last change of a figure."""

from __future__ import annotations

import re
from pathlib import Path

from each import each

import graphacct
from graphacct.models.find import presets

PAGE = (Path(__file__).parents[2] / "docs" / "certification.md").read_text(encoding="utf-8")
ROW = re.compile(
    r"^\| `([\w.-]+)` \| \w+ \| (\d+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| (.*) \| (.*) \|$", re.MULTILINE
)
FIGURES = ("params", "forward_matmul_flops", "step_matmul_flops")
ROWS = {row[1]: row for row in ROW.finditer(PAGE)}
PRESETS = presets()
ELSEWHERE = (
    *("transformer-lm", "resnet", "baichuan", "chatglm", "dots_ocr", "exaone", "internlm2", "internlm3", "kimi_vl"),
    *("mimo", "minicpm", "qwen", "blip-2", "detr", "encodec", "idefics2", "idefics3", "mimi", "smolvlm"),
    "qwen3_omni_moe_thinker",
    *("vits", "fastspeech2_conformer_with_hifigan"),  # they make as many frames as they say that a text lasts
)
"""Families that the page names as not on it."""


def test_every_preset_is_on_the_page() -> None:
    """A family that is new, or a preset, is measured before it is published."""
    published = {
        name
        for name, architecture in PRESETS.items()
        if name in architecture.presets and architecture.name not in ELSEWHERE
    }
    assert set(ROWS) == published


@each("name", ROWS)
def test_the_page_has_todays_figures(name: str) -> None:
    """Parameters and FLOPs, forward and of a training step, at the length of the row, which are those of the class."""
    row = ROWS[name]
    architecture = PRESETS[name].load()
    sizes = ("seq_len", "samples", "frames", "image_size")
    size = {next(size for size in sizes if size in architecture.sizes): int(row[2])}
    attention = "eager" if "eager" in architecture.attention else None
    step = graphacct.account(
        name,
        **size,
        attention=attention,
        convention="matmul",
        phase="train",
        loss="sum",
        quantities=FIGURES,
    ).total
    figures = tuple(step[name] for name in FIGURES)
    assert tuple(int(row[cell].replace(",", "")) for cell in (3, 4, 5)) == figures
    assert row[6] == "0, 0, 0"
    assert row[7] in ("", "¹")  # one module's work that torch counts in the module around it
