"""The tables of docs/worksheet.md say what graphacct says (its blocks are run by test_pages.py)."""

from __future__ import annotations

from pathlib import Path

import graphacct

PAGE = (Path(__file__).parents[2] / "docs" / "worksheet.md").read_text(encoding="utf-8")
MODELS = [f"transformer-lm-{size}" for size in ("small", "medium", "large", "xl")]
PARTS = {"SwiGLU": "layers.*.ffn", "attention": "layers.*.attn", "head": "lm_head"}


def line(start: str) -> list[str]:
    """The cells of the one table line that starts with a cell."""
    (found,) = [line for line in PAGE.splitlines() if line.startswith(f"| {start} |")]
    return found.strip("| ").split(" | ")[1:]


def shares(part: str) -> list[str]:
    reports = [graphacct.account(model, convention="worksheet") for model in MODELS]
    return [f"{100 * report[PARTS[part]].share:.2f} %" for report in reports]


def test_table_of_shares() -> None:
    """Totals and shares of the four sizes, to the unit and to two decimals."""
    totals = [graphacct.account(model, convention="worksheet").total["flops"] for model in MODELS]
    assert line("FLOPs") == [f"{total:,}" for total in totals]
    for part in PARTS:
        assert line(part) == shares(part)


def test_slips_with_shares() -> None:
    """What the list of slips says about the shares is what the models have; attention's share rises."""
    assert ", ".join(shares("attention")) in line("conclusion, attention")[-1]
    assert ", ".join(shares("SwiGLU")) in line("conclusion, SwiGLU")[-1]
    head = shares("head")
    assert f"{head[0]} to {head[-1]}" in line("conclusion, the rest")[-1]


def test_slips_with_sizes() -> None:
    """The sizes that the list of slips corrects are the presets' and GPT-2's."""
    reports = [graphacct.account(model) for model in MODELS]
    widths = [report["ln_final"].values["params"] for report in reports]
    assert f"4 · d_model would be {', '.join(str(4 * width) for width in widths)}" == line("`d_ff` in all tables")[-1]
    assert reports[2]["layers.*"].repeat == 36
    assert f"36 layers: {graphacct.account(MODELS[2], convention='worksheet').total['flops']:,}" in PAGE
    assert f"{reports[3].total['param_bytes']:,} bytes" in line("memory")[-1]
