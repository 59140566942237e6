"""Each command, on a small model: what it prints is what the public functions give."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct.models.find import _say_that_a_file_is_another
from graphacct.render.table import table

GPT2_PARAMS = 124_439_808
"""Of the published checkpoint."""


def test_report_prints_what_account_gives(run: Any) -> None:
    """The options are the arguments of `graphacct.account`."""
    options = ["--batch", "2", "--seq-len", "64", "--attention", "fused", "--dtype", "bf16", "--convention", "matmul"]
    result = run("report", "gpt2", *options, "--set", "n_layer=3", "--format", "json")
    report = graphacct.account(
        "gpt2", batch=2, seq_len=64, attention="fused", dtype="bf16", convention="matmul", set={"n_layer": 3}
    )
    assert result.exit_code == 0
    assert json.loads(result.stdout) == report.to_dict()


def test_report_prints_a_table_by_default(run: Any) -> None:
    """Without --format the tree by scope is printed, in plain characters where there is no terminal."""
    assert run("report", "gpt2").stdout == table(graphacct.account("gpt2")) + "\n"
    deep = run("report", "gpt2", "--depth", "9", "--bytes", "binary").stdout
    assert "scaled_dot_product_attention" in deep
    assert "GiB" in deep


def test_columns_of_the_terminal_are_respected(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The COLUMNS variable sets the width where the output is no terminal."""
    monkeypatch.setenv("COLUMNS", "80")
    assert max(map(len, run("report", "gpt2-xl").stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("name", "start"), [("r.json", "{"), ("r.csv", "operator,"), ("r.md", "**gpt2**"), ("r", "gpt2 ")]
)
def test_an_outputs_ending_gives_its_format(run: Any, tmp_path: Path, name: str, start: str) -> None:
    """-o writes the whole file and prints nothing."""
    path = tmp_path / name
    result = run("report", "gpt2", "--by", "operator", "-o", str(path))
    assert (result.exit_code, result.stdout) == (0, "")
    assert path.read_text(encoding="utf-8").startswith(start)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("value", "given"), [("224", (224, 224)), ("64x32", (64, 32)), ("64×32", (64, 32))])
def test_an_image_has_one_side_or_two(value: str, given: tuple[int, int]) -> None:
    """--image-size takes one number for both sides, or height x width."""
    from graphacct.cli.parameter_types import ImageSize

    assert ImageSize().convert(value, None, None) == given


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("-3", -3),
        ("0.5", 0.5),
        ("true", True),
        ("null", None),
        ("relu", "relu"),
        ("1_0", "1_0"),
        ("a=b", "a=b"),
        ("[0, 1]", [0, 1]),
        ('{"rope_type": "yarn", "factor": 4.0}', {"rope_type": "yarn", "factor": 4.0}),
    ],
)
def test_settings_are_json_literals_or_words(text: str, value: object) -> None:
    """--set takes numbers, true, false, null, objects and lists as JSON writes them; all else is a word."""
    from graphacct.cli.parameter_types import Setting

    key, parsed = Setting().convert(f"key={text}", None, None)
    assert (key, parsed, type(parsed)) == ("key", value, type(value))


def test_compare_puts_models_side_by_side(run: Any) -> None:
    """Each model has a column of values and one of shares; the formats hold the same."""
    table = run("compare", "gpt2", "gpt2-xl", "--seq-len", "1024").stdout
    assert "3.52 TFLOP" in table
    assert "lm_head" in table
    parsed = json.loads(run("compare", "gpt2", "gpt2-xl", "--format", "json").stdout)
    assert [model["total"]["params"] for model in parsed["models"]] == [GPT2_PARAMS, 1_557_611_200]
    rows = list(csv.DictReader(StringIO(run("compare", "gpt2", "--quantity", "params", "--format", "csv").stdout)))
    assert {row["path"]: int(row["params"]) for row in rows}["transformer"] == GPT2_PARAMS
    assert run("compare", "gpt2", "--format", "markdown").stdout.startswith("**FLOPs**")


def test_params_lists_the_checkpoint(run: Any) -> None:
    """gpt2's checkpoint: 2 embeddings, 12 tensors in each of 12 layers, the last norm's 2, and the tied head."""
    folded = json.loads(run("params", "gpt2", "--format", "json").stdout)
    assert (folded["schema"], len(folded["tensors"])) == ("graphacct.params/1", 2 + 12 + 2 + 1)
    expanded = json.loads(run("params", "gpt2", "--expand", "--format", "json").stdout)
    names = [row["name"] for row in expanded["tensors"]]
    assert len(set(names)) == len(names) == 2 + 12 * 12 + 2 + 1
    assert "transformer.h.11.mlp.c_proj.bias" in names
    for parsed in (folded, expanded):
        assert parsed["total"] == {"tensors": 149, "params": GPT2_PARAMS, "param_bytes": 4 * GPT2_PARAMS}
        assert sum(row["params"] for row in parsed["tensors"]) == GPT2_PARAMS
    assert "tied to transformer.wte.weight" in run("params", "gpt2").stdout


def test_explain_prints_the_formula(run: Any) -> None:
    """The text is the Explanation's; its JSON has the same numbers."""
    shown = run("explain", "gpt2", "mlp.c_fc", "--quantity", "matmul_flops")
    assert shown.exit_code == 0
    assert f"{2 * 1024 * 768 * 3072:,}" in shown.stdout  # 2 · tokens · width · 4 width
    parsed = json.loads(run("explain", "gpt2", "mlp.c_fc", "--format", "json").stdout)
    assert (parsed["schema"], parsed["node"]) == ("graphacct.explanation/1", "transformer.h.*.mlp.c_fc")


@pytest.mark.parametrize("kind", ["architectures", "operators", "conventions", "quantities", "readers", "plugins"])
@pytest.mark.parametrize("form", ["table", "json", "csv", "markdown"])
def test_list_shows_every_kind(run: Any, kind: str, form: str) -> None:
    """Everything registered is listed by name, in every format."""
    expected = {
        "architectures": "gpt2-xl",
        "operators": "softmax",
        "conventions": "worksheet",
        "quantities": "activation_bytes",
        "readers": "graph-json",
        "plugins": "graphacct-operators",
    }
    result = run("list", kind, "--format", form)
    assert result.exit_code == 0
    assert expected[kind] in result.stdout


def test_list_shows_what_set_takes(run: Any) -> None:
    """The JSON of architectures has the keys and values of each configuration."""
    items = json.loads(run("list", "--format", "json").stdout)["items"]
    config = next(item["config"] for item in items if item["name"] == "gpt2-xl")
    assert (config["n_embd"], config["n_layer"], config["n_head"]) == (1600, 48, 25)


def test_list_finds_models_by_words(run: Any) -> None:
    """Each word is part of the name, the family or a hub name; the table has parameters and the sizes' source."""
    shown = run("list", "QWEN3", "8b").stdout
    assert "8,190,735,360" in shown  # Qwen/Qwen3-8B's file index says this total
    assert "Qwen/Qwen3-8B" in shown
    assert "qwen2" not in shown
    assert "meta-llama/Llama-2-7b-hf" in run("list", "meta-llama/llama-2").stdout
    rows = list(csv.DictReader(StringIO(run("list", "gpt2-xl", "--format", "csv").stdout)))
    assert [(row["name"], row["params"]) for row in rows] == [("gpt2-xl", "1557611200")]
    assert "rms_norm" in run("list", "operators", "rms", "norm").stdout


def test_list_shows_a_family_without_presets_by_its_defaults(run: Any) -> None:
    """A family that has presets has no row of its own; one without has its config class's sizes, said to be that."""
    items = json.loads(run("list", "clip_text", "--format", "json").stdout)["items"]
    assert [item["name"] for item in items] == ["clip-vit-large-patch14-text"]
    named = {
        item["name"]: item["source"] for item in json.loads(run("list", "vipllava", "--format", "json").stdout)["items"]
    }
    assert named == {"vipllava": "the family's defaults"}


def test_list_says_what_has_no_name(run: Any) -> None:
    """Words that nothing has are an error with the closest name, or the kind that was meant."""
    result = run("list", "operatrs")
    assert result.exit_code == 2
    assert "'operatrs' is no kind, and no model has such a name; did you mean 'operators'?" in result.stderr
    assert "there is none of that size: gpt2, gpt2-large" in run("list", "gpt2-xxl").stderr
    assert "none of that size: qwen3-0.6b" in run("list", "qwen3", "90b").stderr
    assert (
        "unknown name among the operators 'rmsnorm'; did you mean 'rms_norm'?"
        in run("list", "operators", "rmsnorm").stderr
    )


def test_list_writes_a_model_inside_a_model_as_keys(run: Any) -> None:
    """The JSON of a composed model has the keys of its parts, as config.json writes them."""
    (item,) = json.loads(run("list", "llava-1.5-7b", "--format", "json").stdout)["items"]
    assert item["config"]["text_config"]["model_type"] == "llama"
    assert item["config"]["text_config"]["hidden_size"] == 4096


PLUGIN = '''
import graphacct
from graphacct import Work

@graphacct.operator("x: ... n -> ... n")
def {name}(batch, n):
    """Twice. 1 per element."""
    return Work(vector_flops=batch * n)

@graphacct.hookimpl
def graphacct_register_operators():
    return [{value}]
'''


def test_a_plugin_in_a_file_is_loaded_and_listed(run: Any, tmp_path: Path) -> None:
    """--plugin FILE adds what it registers, under its file's name."""
    path = tmp_path / "twice.py"
    path.write_text(PLUGIN.format(name="double_it", value="double_it"))
    assert "double_it" in run("list", "operators", "--plugin", str(path)).stdout
    rows = json.loads(run("plugins", "--plugin", str(path), "--format", "json").stdout)["items"]
    assert rows[-1] == {
        "name": "twice",
        "origin": str(path),
        "version": "",
        "hooks": ["graphacct_register_operators"],
        "registers": {"operators": ["double_it"]},
        "replaces": {},
        "error": None,
    }
    assert "graphacct-operators" not in run("plugins", "--block", "graphacct-operators").stdout


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("import no_such_module_here", "No module named 'no_such_module_here'"),
        ("x = (", "SyntaxError"),
        (PLUGIN.format(name="twice", value="1 / 0"), "ZeroDivisionError"),
        (PLUGIN.format(name="softmax", value="softmax"), "'softmax' is registered twice"),
        ("def graphacct_register_operater(): ...", "did you mean 'graphacct_register_operators'"),
        ("def graphacct_register_operators(): ...", "is not marked"),
    ],
    ids=["import", "syntax", "hook", "conflict", "misspelt", "unmarked"],
)
def test_a_broken_plugin_is_listed_with_its_error(run: Any, tmp_path: Path, source: str, error: str) -> None:
    """`plugins` shows the others and what is wrong with this one; commands that need it end with the same message."""
    path = tmp_path / "broken.py"
    path.write_text(source)
    listed = run("plugins", "--plugin", str(path))
    assert listed.exit_code == 1
    assert "graphacct-operators" in listed.stdout
    assert error in " ".join((listed.stdout + listed.stderr).split())
    used = run("report", "gpt2", "--plugin", str(path))
    assert (used.exit_code, used.stdout) == (1, "")
    assert error in used.stderr
    assert "broken" in used.stderr
    assert used.stderr.count("\n") <= 2


def test_export_saves_a_graph_that_reports_the_same(run: Any, tmp_path: Path) -> None:
    """A saved graph is a MODEL: it has the same totals."""
    path = tmp_path / "gpt2.json"
    assert run("export", "gpt2", "--seq-len", "16", "-o", str(path)).exit_code == 0
    parsed = json.loads(run("report", str(path), "--format", "json").stdout)
    assert parsed["total"] == graphacct.account("gpt2", seq_len=16).total


def test_adapters_are_an_option_wherever_a_model_is_built(run: Any, tmp_path: Path) -> None:
    """A saved graph with adapters reports what the option gives; params lists them, the table says what was asked."""
    given = ["--lora", "8:*.attn.c_attn", "--lora", "4:*.mlp.c_fc"]
    path = tmp_path / "adapted.json"
    assert run("export", "gpt2", *given, "--phase", "train", "-o", str(path)).exit_code == 0
    saved = json.loads(run("report", str(path), "--format", "json").stdout)
    direct = json.loads(run("report", "gpt2", *given, "--phase", "train", "--format", "json").stdout)
    assert saved["total"] == direct["total"]
    assert saved["workload"] == direct["workload"]
    assert direct["workload"]["lora"] == "8:*.attn.c_attn, 4:*.mlp.c_fc"
    assert "lora 8:*.attn.c_attn, 4:*.mlp.c_fc" in " ".join(run("report", "gpt2", *given).stdout.split())
    assert "transformer.h.*.mlp.c_fc.lora_B.default.weight" in run("params", "gpt2", *given, "--format", "csv").stdout


def test_draw_writes_the_picture(run: Any, tmp_path: Path) -> None:
    """DOT needs no layout: the file appears and its name is said on standard error."""
    path = tmp_path / "gpt2.dot"
    result = run("draw", "gpt2", "-o", str(path), "--depth", "1", "--color-by", "params")
    assert (result.exit_code, result.stdout) == (0, "")
    assert str(path) in result.stderr
    assert path.read_text(encoding="utf-8").startswith("digraph")


def test_the_version_and_the_help(run: Any) -> None:
    """--version prints the package's; help, asked for or not, lists every command."""
    assert run("--version").stdout == f"graphacct {graphacct.__version__}\n"
    asked, unasked = run("--help"), run()
    assert (asked.exit_code, unasked.exit_code, unasked.stdout) == (0, 2, "")
    for command in (
        "report",
        "draw",
        "explain",
        "formula",
        "compare",
        "diff",
        "solve",
        "sweep",
        "params",
        "list",
        "plugins",
        "export",
    ):
        assert f"  {command} " in asked.stdout
        assert f"  {command} " in unasked.stderr
        assert run(command, "--help").exit_code == 0


def test_a_ratio_that_is_asked_for(run: Any) -> None:
    """`--columns` names it: in a table, and in JSON and CSV beside everything else."""
    ratio = ("--columns", "flops,arithmetic_intensity", "--seq-len", "8")
    assert "Intensity" in run("report", "gpt2", *ratio).output
    named = json.loads(run("report", "gpt2", *ratio, "--format", "json").output)
    plain = json.loads(run("report", "gpt2", "--seq-len", "8", "--format", "json").output)
    assert list(named["total"]) == [*plain["total"], "arithmetic_intensity"]
    row = run("report", "gpt2", *ratio, "--format", "csv", "--by", "operator").output.splitlines()[0]
    assert "arithmetic_intensity" in row.split(",")


def test_list_says_what_a_quantity_is_of(run: Any) -> None:
    """`per` and `combine` are the contract's words."""
    items = {item["name"]: item for item in json.loads(run("list", "quantities", "--format", "json").stdout)["items"]}
    expected = {
        "flops": ("node", "sum"),
        "params": ("parameter", "sum"),
        "active_params": ("owned", "sum"),
        "saved_bytes": ("total", "sum"),
        "peak_bytes": ("total", "max"),
        "arithmetic_intensity": ("row", "ratio"),
    }
    assert {name: (items[name]["per"], items[name]["combine"]) for name in expected} == expected


def test_list_shows_a_family_whose_sizes_only_a_file_can_say(run: Any) -> None:
    """Its row has no configuration, and the error says why."""
    items = json.loads(run("list", "--format", "json").stdout)["items"]
    (item,) = (item for item in items if item["name"] == "granite4_vision")
    assert item["config"] == {}
    assert "downsample_rate and deepstack_layer_map must be given" in item["error"]


def test_a_folder_of_a_built_in_models_name_is_said(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is the built-in model's; what lies here is ./gpt2, and gpt2/ too."""
    (tmp_path / "gpt2").mkdir()
    (tmp_path / "gpt2" / "config.json").write_text(json.dumps({"model_type": "gpt2", "n_layer": 1}))
    monkeypatch.chdir(tmp_path)
    _say_that_a_file_is_another.cache_clear()
    both = run("params", "gpt2")
    assert "124 M" in both.stdout
    assert "'gpt2' is the built-in model of this name; what lies here under the name is ./gpt2" in both.stderr
    assert "built-in" not in run("params", "./gpt2").stderr
