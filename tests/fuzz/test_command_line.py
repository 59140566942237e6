"""Command lines of anything: an output, or an error in one or two lines; never a traceback."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from cases import TEXTS, cases
from click.testing import CliRunner

import graphacct
from graphacct.cli import COMMANDS, cli

TINY = {"n_layer": 2, "n_embd": 8, "n_head": 2, "vocab_size": 11, "n_positions": 8}
MODELS = ("tiny.json", "config", "gpt2", "gpt2-xll", "Qwen/Qwen3-9B", "no.json", "bad.json", "os:getcwd", "", ".")
SIZES = ("1", "4", "1k", "0", "-1", "1e3", "1,024", "10,24", "x", "9" * 500, "1.5", "", "²", "4x4")
OPTIONS: dict[str, tuple[str, ...]] = {
    "--batch": SIZES,
    "--seq-len": SIZES,
    "--cache-len": SIZES,
    "--image-size": SIZES,
    "--dp": SIZES,
    "--zero": SIZES,
    "--depth": SIZES,
    "--prompt-len": SIZES,
    "--new-tokens": SIZES,
    "--weights": ("int4", "nf4:double", "gptq:4:group=128", "q4_k", "fp8:block=128", "awq:x", "odd", ":", ""),
    "--kv-dtype": ("fp8", "int8", "odd"),
    "--on": ("h100", "all", "a100,rtx-4090", "odd", ""),
    "--phase": ("forward", "train", "prefill", "decode", "generate", "trian"),
    "--attention": ("eager", "fused", "flash"),
    "--dtype": ("bf16", "fp32", "int4", "float33"),
    "--set": ("n_layer=1", "n_head=3", "n_embd=4k", "n_layer=NaN", "odd=1", "=", "n_layer=1e400", "n_positions=1,024"),
    "--lora": ("2:c_attn", "8:c_attn", "x", "2:", "2:all-linear", "2:*.c_fc,c_proj", "0:x"),
    "--transform": ("lora:adapters=2:c_attn", "lora", "odd", "lora:odd=1", ":"),
    "--recompute": ("full", "selective", "*.mlp", "odd", ""),
    "--optimizer": ("adamw", "sgd", "adam"),
    "--freeze": ("*", "*.wte.weight", "odd", "["),
    "--convention": ("matmul", "exct"),
    "--profile": ("torch-eager-cpu", "odd"),
    "--logits": ("last", "all", "some"),
    "--loss": ("sum", "cross_entropy", "odd"),
    "--format": ("json", "csv", "markdown", "table", "jsn"),
    "--by": ("scope", "operator", "parameter", "odd"),
    "--columns": ("flops", "flops,params", "odd", ""),
    "--quantity": ("flops", "params", "odd"),
    "--fits": ("24G", "24GiB", "1e9", "24", "-1GB", "x"),
    "--bytes": ("si", "binary", "odd"),
    "--unknown": ("error", "report", "odd"),
    "--block": ("graphacct-mamba", "odd"),
    "--plugin": ("plugin.py", "no.py", "."),
    "--checkpoint": ("no.safetensors", ".", "tiny.json"),
    "-o": ("x.json", "x.csv", "x.md", "no/x.json", ".", "x.odd", "", "-"),
}
FLAGS = ("--max-batch", "--timeline", "--expand", "--views", "--help", "--version", "--unroll", "--odd")


@pytest.fixture
def folder(quick: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with small models, which is the current one."""
    monkeypatch.chdir(quick)
    graphacct.save(graphacct.build("gpt2", seq_len=4, set=TINY), "tiny.json")
    (quick / "config").mkdir()
    (quick / "config" / "config.json").write_text(
        '{"model_type": "llama", "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 11, '
        '"intermediate_size": 12, "max_position_embeddings": 32}'
    )
    (quick / "bad.json").write_text('{"model_type": ')
    (quick / "plugin.py").write_text("import graphacct\n")
    return quick


def arguments(rng: random.Random) -> list[str]:
    """A command, a model, and a few options that it may have."""
    command = rng.choice(list(COMMANDS)) if rng.random() < 0.95 else rng.choice(["reprot", "", "-"])
    words = [command]
    if command not in ("list", "plugins") and rng.random() < 0.97:
        words.append(rng.choice(MODELS) if rng.random() < 0.4 else rng.choice(MODELS[:2]))
    if command == "explain":
        words.append(rng.choice(["lm_head", "mlp", "transformer.h.*.mlp.c_fc", "odd", ""]))
    if command == "draw" and rng.random() < 0.8:
        words += ["-o", rng.choice(["x.dot", "x.svg", "x.odd", "no/x.dot"])]
    for _ in range(rng.randrange(5)):
        if rng.random() < 0.15:
            words.append(rng.choice(FLAGS))
            continue
        option = rng.choice(list(OPTIONS))
        words += [option, rng.choice(TEXTS) if rng.random() < 0.05 else rng.choice(OPTIONS[option])]
    return words


def test_any_command_line(folder: Path) -> None:
    """Whatever is typed."""
    runner = CliRunner()

    def typed(rng: random.Random) -> None:
        words = arguments(rng)
        result = runner.invoke(cli, words)
        found: Any = result.exception
        if found is not None and not isinstance(found, SystemExit):
            raise found
        assert result.exit_code in (0, 1, 2), words
        assert "Traceback" not in result.output, words
        assert "internal error" not in result.output, (words, result.output)
        if result.exit_code and "verify" not in words:
            assert result.stderr.startswith("graphacct: "), (words, result.stderr)
            assert result.stderr.count("\n") <= 2, (words, result.stderr)

    cases("command line", typed)
