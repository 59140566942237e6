"""Every command at four widths of a terminal: no line is longer, no row wraps but inside of a column, and what was
asked for is there."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import chdir
from pathlib import Path

import pytest
import safetensors_files
from click.testing import CliRunner

from graphacct.cli import COMMANDS, cli
from graphacct.render import table as tables
from graphacct.render.columns import length
from graphacct.render.sheet_parts import Sheet

WIDTHS = (80, 100, 120, 160)
SMALL = ("--seq-len", "64")
LLAMA = ("llama-3-8b", "--seq-len", "64", "--quantities", "params,flops,activation_bytes")
TABLES: dict[str, tuple[tuple[str, ...], str]] = {
    "report": (("report", *LLAMA), r"(?m)^lm_head .* FLOP|GFLOP"),
    "report by operator": (("report", *LLAMA, "--by", "operator"), r"scaled_dot_product_attention .*FLOP"),
    "report by parameter": (("report", *LLAMA, "--by", "parameter"), r"model.layers.\*.mlp.down_proj.weight .*1.88 B"),
    "report of a step": (("report", "gpt2", *SMALL, "--phase", "train"), r"(?m)^ ?Total .*48.\d GFLOP"),
    "report of a generation": (
        ("report", "gpt2", "--phase", "generate", "--prompt-len", "8", "--new-tokens", "4"),
        r"KV +cache|KV cache|\n +KV",
    ),
    "report with columns": (
        ("report", "gpt2", *SMALL, "--columns", "params,param_bytes,flops,matmul_flops,vector_flops,macs,read_bytes"),
        r"vector_flops|Vector",
    ),
    "params": (("params", "gpt2"), r"transformer.h.\*.attn.c_attn.weight .*21.2 M"),
    "memory": (("memory", "gpt2", *SMALL), r"kept for the backward pass +80.6 MB"),
    "memory on devices": (("memory", "gpt2", *SMALL, "--on", "h100,t4"), r"H100.* yes "),
    "memory with ways out": (("memory", "gpt2-xl", *SMALL, "--on", "t4"), r"(?s)ways out.*recompute full"),
    "timeline": (("memory", "gpt2", *SMALL, "--timeline"), r"transformer.h.\*.attn.c_attn .* MB"),
    "compare": (("compare", "gpt2", "gpt2-medium", *SMALL), r"gpt2-medium"),
    "compare sizes": (("compare", "gpt2", "--over", "seq_len=16,32,64"), r"(?m)^ ?lm_head .*FLOP"),
    "compare many": (
        ("compare", "gpt2", "--by", "role", "--over", "seq_len=8,16,32,64,128"),
        r"(?s)attention.*mlp.*norms",
    ),
    "diff": (("diff", "gpt2", "gpt2-medium", *SMALL), r"c_attn .*FLOP"),
    "reconcile": (("reconcile", "gpt2", *SMALL, "--between", "exact", "--and", "6nd"), r"element-wise .*-"),
    "solve": (
        ("solve", "gpt2", "--for", "n_layer", "--max", "--where", "params <= 1e8", "--range", "1:12"),
        r"params +[\d,]{9,}",
    ),
    "sweep": (
        ("sweep", "gpt2", "--over", "n_layer=2,3", "--over", "seq_len=8,16", "--keep", "params,flops,read_bytes"),
        r"(?s)n_layer +seq_len.*flops",
    ),
    "list": (("list",), r"(?m)llama-3-8b( |$)"),
    "list of models": (("list", "qwen3", "8b"), r"qwen3-8b .*8,190,735,360"),
    **{
        f"list {kind}": (("list", kind), name)
        for kind, name in (
            ("operators", "scaled_dot_product_attention"),
            ("conventions", "palm-mfu"),
            ("quantities", "backward_peak_bytes"),
            ("analyses", "Name"),
            ("profiles", "torch-eager-cuda"),
            ("readers", "config-json"),
            ("transforms", "lora"),
            ("optimizers", "adamw-8bit"),
            ("recompute-policies", "selective"),
            ("weight-formats", "gptq"),
            ("devices", r"A100-SXM4-80GB +85.9 GB"),
            ("outputs", "markdown"),
            ("commands", "Name"),
            ("plugins", "graphacct.builtin"),
        )
    },
    "plugins": (("plugins",), "graphacct-operators"),
    "verify": (("verify", "gpt2", "--checkpoint", "model.safetensors"), r"transformer.h.0.attn.c_attn.weight"),
}
TEXTS: dict[str, tuple[tuple[str, ...], str]] = {
    "explain": (("explain", "gpt2", "transformer.h.*.attn.c_attn", *SMALL), r"226,492,416"),
    "explain of a scope": (("explain", "gpt2", "transformer.h.*.mlp", *SMALL, "--quantity", "flops"), r"c_proj"),
    "formula": (
        ("formula", "gpt2", "--exponents", "--quantity", "params,flops,read_bytes"),
        r"(?s)exponent of +params",
    ),
    "formula of scopes": (
        ("formula", "gpt2", "--by", "scope", "--quantity", "flops"),
        r"transformer.h.\*.attn.c_attn +=",
    ),
}
ELSEWHERE = {"draw": "pictures", "export": "JSON"}
"""Commands whose outputs are no tables."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with a checkpoint that lacks most of a model's tensors."""
    place = tmp_path_factory.mktemp("widths")
    safetensors_files.save(place / "model.safetensors", {"wte.weight": {"dtype": "F32", "shape": [8, 8]}})
    with chdir(place):
        yield place


def test_every_command_is_here() -> None:
    """A new command's output is looked at at each width."""
    assert {command[0] for command, _ in (*TABLES.values(), *TEXTS.values())} | ELSEWHERE.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", TABLES)
def test_a_table_fits(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80, 100, 120 and 160 columns. The sheet is computed once and laid out at each width, as each run would."""
    arguments, asked = TABLES[name]
    sheets: list[Sheet] = []
    laid_out = tables.to_text
    monkeypatch.setattr(tables, "to_text", lambda sheet, width: sheets.append(sheet) or laid_out(sheet, width))
    monkeypatch.setenv("COLUMNS", f"{WIDTHS[0]}")
    printed = CliRunner().invoke(cli, arguments).stdout
    assert sheets
    for width in WIDTHS:
        drawn = "\n\n".join(laid_out(sheet, width) for sheet in sheets)
        if width == WIDTHS[0]:
            assert printed.rstrip("\n") == drawn.rstrip("\n")
        _check(drawn, width, asked)
        for sheet in sheets:
            _check_rows(sheet, laid_out(sheet, width))


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_fits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines are broken between words, and stand indented below the first."""
    arguments, asked = TEXTS[name]
    for width in WIDTHS[::3]:
        monkeypatch.setenv("COLUMNS", f"{width}")
        _check(CliRunner().invoke(cli, arguments).stdout, width, asked)


def _check(drawn: str, width: int, asked: str) -> None:
    assert max(map(length, drawn.splitlines())) <= width
    assert re.search(asked, drawn)


def _check_rows(sheet: Sheet, drawn: str) -> None:
    """Checks that the columns of each block of lines stand apart: two blanks or more from the first line to the last,
    which no text that went on below another column would leave."""
    body, *_ = drawn.partition("no room in ")
    blocks = [[_spread(line) for line in part.splitlines()] for part in re.split(r"\n\n(?=.*\n(?:.*\n)? ?─)", body)[1:]]
    assert blocks
    left_out = re.search(r"no room in \d+\s+characters\s+for: (.*)", drawn)
    empty = sum(
        bool(column.rank) and not column.number and not any(line.cells[place] for line in sheet.lines)
        for place, column in enumerate(sheet.columns)
    )
    shown = len(sheet.columns) - empty - (len(left_out[1].split(", ")) if left_out else 0)
    bars = any("█" in line for line in blocks[0])
    assert sum(map(_columns, blocks)) == shown + sheet.heads * (len(blocks) - 1) + bars


def _columns(lines: Sequence[str]) -> int:
    """How many columns lines have."""
    rule = next(place for place, line in enumerate(lines) if "───" in line)
    end = next((place for place, line in enumerate(lines) if place > rule and not line), len(lines))
    rows = [line.ljust(200) for line in (*lines[:rule], *lines[rule + 1 : end]) if line]
    blank = "".join(" " if {row[place] for row in rows} == {" "} else "x" for place in range(200))
    return len(re.split(" {2,}", blank.strip()))


def _spread(line: str) -> str:
    """A line with a character for each place that it takes."""
    return "".join(character + "+" * (length(character) - 1) if length(character) else "" for character in line)
