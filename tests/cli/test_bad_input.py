"""Whatever is wrong with a request, it ends in one or two lines that name what, the value and the way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

MILLION_DIGITS = "9" * 1_000_000

REQUESTS: list[tuple[str, list[str], int, list[str]]] = [
    ("unknown model", ["report", "gpt2-xll"], 1, ["'gpt2-xll'", "did you mean 'gpt2-xl'"]),
    ("no model", ["report", ""], 1, ["unknown model ''", "graphacct list"]),
    ("missing file", ["report", "missing.json"], 1, ["no such file", "'missing.json'"]),
    ("no such module", ["report", "no_such_module:f"], 1, ["no_such_module:f", "No module named"]),
    ("function that gives no graph", ["report", "os:getcwd"], 1, ["os:getcwd", "str, not a Graph"]),
    ("unknown command", ["reprot", "gpt2"], 2, ["'reprot'", "did you mean 'report'", "graphacct --help"]),
    ("unknown option", ["report", "gpt2", "--frmat", "json"], 2, ["--frmat", "--format"]),
    ("missing argument", ["report"], 2, ["MODEL", "graphacct report --help"]),
    ("unknown key", ["report", "gpt2", "--set", "n_hed=3"], 1, ["'n_hed'", "did you mean 'n_head'"]),
    ("size that does not divide", ["report", "gpt2", "--set", "n_head=7"], 1, ["n_embd / n_head", "768", "7"]),
    ("odd width of a head", ["report", "transformer-lm", "--set", "n_head=256"], 1, ["d_head / 2", "3", "2"]),
    ("zero size", ["report", "gpt2", "--set", "n_head=0"], 1, ["n_head", "positive", "not 0"]),
    ("negative size", ["report", "gpt2", "--set", "n_layer=-1"], 1, ["n_layer", "positive", "not -1"]),
    ("fractional size", ["report", "gpt2", "--set", "n_layer=1.5"], 1, ["n_layer", "integer", "1.5"]),
    ("infinite size", ["report", "gpt2", "--set", "n_layer=1e400"], 1, ["n_layer", "integer", "inf"]),
    ("NaN", ["report", "gpt2", "--set", "n_layer=NaN"], 1, ["n_layer", "integer", "'NaN'"]),
    ("true for a size", ["report", "gpt2", "--set", "n_layer=true"], 1, ["n_layer", "integer", "True"]),
    ("empty value", ["report", "gpt2", "--set", "n_layer="], 1, ["n_layer", "integer", "''"]),
    ("a thousand digits", ["report", "gpt2", "--set", f"n_layer={'9' * 900}"], 1, ["n_layer", "2990-bit"]),
    ("a million digits", ["report", "gpt2", "--set", f"n_layer={MILLION_DIGITS}"], 2, ["n_layer", "1,000,000 digits"]),
    ("a million digits of batch", ["report", "gpt2", "--batch", MILLION_DIGITS], 2, ["--batch", "1,000,000"]),
    ("a million letters", ["report", "gpt2", "--batch", "x" * 1_000_000], 2, ["--batch", "1,000,000 characters"]),
    ("no equals sign", ["report", "gpt2", "--set", "n_layer"], 2, ["'n_layer'", "key=value"]),
    ("no key", ["report", "gpt2", "--set", "=3"], 2, ["'=3'", "key=value"]),
    (
        "an object that is not closed",
        ["report", "llama-3-8b", "--set", 'rope_scaling={"factor": 8'],
        2,
        ["rope_scaling has '{\"factor\": 8'", "no JSON", "column 13"],
    ),
    ("a NaN in an object", ["report", "llama-3-8b", "--set", 'rope_scaling={"factor": NaN}'], 2, ["it has no NaN"]),
    (
        "a rotary setting of a word",
        ["report", "llama-3-8b", "--set", 'rope_scaling={"rope_type": "yarn", "factor": "four"}'],
        1,
        ["rope_parameters has factor 'four'", "must be a positive number"],
    ),
    (
        "a rotary setting of no kind",
        ["report", "llama-3-8b", "--set", 'rope_scaling={"rope_type": "foo"}'],
        1,
        ["rope_type 'foo'", "known: default, linear"],
    ),
    ("a key twice", ["report", "gpt2", "--set", "n_layer=1", "--set", "n_layer=2"], 2, ["n_layer", "twice"]),
    ("zero batch", ["report", "gpt2", "--batch", "0"], 1, ["batch", "positive", "not 0"]),
    ("negative batch", ["report", "gpt2", "--batch", "-3"], 1, ["batch", "positive", "not -3"]),
    ("fractional batch", ["report", "gpt2", "--batch", "1.5"], 2, ["--batch", "'1.5'", "no integer"]),
    ("batch of 2**63", ["report", "gpt2", "--batch", str(2**63)], 1, ["batch", "below 2**63", str(2**63)]),
    (
        "context too long",
        ["report", "gpt2", "--seq-len", "2000"],
        1,
        ["--seq-len 2000", "1024", "--set n_positions"],
    ),
    ("image of three sides", ["report", "gpt2", "--image-size", "3x3x3"], 2, ["'3x3x3'", "224x192"]),
    ("image with a comma", ["report", "vit", "--image-size", "224,224"], 2, ["'224,224'", "224x192"]),
    (
        "image for a language model",
        ["report", "gpt2", "--image-size", "8"],
        1,
        ["gpt2 has no --image-size: its workload is --batch, --seq-len"],
    ),
    (
        "length of a sound that is padded",
        ["report", "whisper", "--audio-seconds", "10"],
        1,
        ["has no --audio-seconds: its workload is --batch, --seq-len; it pads each sound to 30 s, whatever it lasts"],
    ),
    (
        "images of which each has a text",
        ["report", "clip", "--images", "2"],
        1,
        ["has no --images: its workload is --batch, --seq-len, --image-size; --batch counts its images"],
    ),
    ("adapters without a rank", ["report", "gpt2", "--lora", "*.c_attn"], 1, ["'*.c_attn'", "RANK:GLOB"]),
    ("adapters of no rank", ["params", "gpt2", "--lora", "0:*.c_attn"], 1, ["'0:*.c_attn'", "positive integer"]),
    ("a rank above the matrix", ["memory", "gpt2", "--lora", "769:*.c_attn"], 1, ["c_attn'", "768 in", "rank 769"]),
    (
        "adapters beside nothing",
        ["report", "gpt2", "--lora", "8:*.c_atn"],
        1,
        ["'8:*.c_atn'", "did you mean '*.c_attn'"],
    ),
    (
        "a million letters of adapters",
        ["report", "gpt2", "--lora", f"8:{'x' * 1_000_000}"],
        1,
        ["1,000,002 characters"],
    ),
    (
        "dropout of no adapters",
        ["report", "gpt2", "--lora-dropout", "0.1"],
        1,
        ["--lora-dropout is that of adapters", "--lora RANK:GLOB"],
    ),
    (
        "frozen nothing",
        ["report", "gpt2", "--phase", "train", "--freeze", "*.wtee.*"],
        1,
        ["--freeze '*.wtee.*'", "--freeze", "did you mean '*.wte.weight'"],
    ),
    ("unknown dtype", ["report", "gpt2", "--dtype", "f32"], 1, ["dtype", "'f32'", "did you mean 'fp32'"]),
    ("unknown attention", ["report", "gpt2", "--attention", "flash"], 1, ["'flash'", "fused or eager"]),
    ("unknown convention", ["report", "gpt2", "--convention", "exct"], 1, ["'exct'", "did you mean 'exact'"]),
    ("unknown format", ["report", "gpt2", "--format", "jsn"], 2, ["'jsn'", "did you mean 'json'"]),
    ("unknown grouping", ["report", "gpt2", "--by", "scop"], 2, ["'scop'", "did you mean 'scope'"]),
    ("unknown column", ["report", "gpt2", "--columns", "flps"], 1, ["'flps'", "did you mean 'flops'"]),
    ("zero depth", ["report", "gpt2", "--depth", "0"], 1, ["depth", "at least 1", "0"]),
    ("policy for the unknown", ["report", "gpt2", "--unknown", "skip"], 2, ["'skip'", "error, report"]),
    ("missing plugin", ["report", "gpt2", "--plugin", "none.py"], 1, ["'none.py'", "does not exist"]),
    ("plugin that is not there", ["report", "gpt2", "--block", "nope"], 1, ["'nope'", "graphacct-operators"]),
    ("unwritable output", ["report", "gpt2", "-o", "no/folder/x.json"], 1, ["cannot write", "'no/folder/x.json'"]),
    ("folder as output", ["report", "gpt2", "--format", "csv", "-o", "."], 1, ["cannot write", "folder"]),
    ("output of unknown format", ["report", "gpt2", "-o", "x.pdf"], 2, ["'.pdf'", "--format"]),
    ("output without a name", ["report", "gpt2", "-o", ""], 2, ["'' names no file"]),
    ("unwritable graph", ["export", "gpt2", "-o", "no/folder/x.json"], 1, ["cannot write", "'no/folder/x.json'"]),
    ("unwritable picture", ["draw", "gpt2", "-o", "no/folder/x.dot"], 1, ["cannot write", "'no/folder/x.dot'"]),
    ("picture of unknown format", ["draw", "gpt2", "-o", "x.jpg"], 1, ["'x.jpg'", ".png"]),
    ("heat of an unknown quantity", ["draw", "gpt2", "-o", "x.dot", "--color-by", "flop"], 1, ["'flop'", "'flops'"]),
    ("unknown node", ["explain", "gpt2", "mlp.c_f"], 1, ["'mlp.c_f'", "c_fc"]),
    ("unknown quantity", ["explain", "gpt2", "mlp.c_fc", "--quantity", "flop"], 1, ["'flop'", "'flops'"]),
    ("comparing nothing", ["compare"], 2, ["MODEL"]),
    ("comparing an unknown quantity", ["compare", "gpt2", "--quantity", "flop"], 1, ["'flop'", "'flops'"]),
    ("comparing what takes other sizes", ["compare", "gpt2", "--image-size", "8"], 1, ["gpt2 has no --image-size"]),
    ("unknown kind", ["list", "architecture"], 2, ["'architecture'", "did you mean 'architectures'"]),
    (
        "too many tensors",
        ["params", "gpt2", "--expand", "--set", "n_layer=1000000000"],
        1,
        ["12,000,000,005", "--expand"],
    ),
]


@pytest.mark.parametrize(("arguments", "status", "says"), [r[1:] for r in REQUESTS], ids=[r[0] for r in REQUESTS])
def test_a_bad_request_ends_in_two_lines(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], status: int, says: list[str]
) -> None:
    """The message names what is wrong, its value and the way out; nothing is printed besides and no file is left."""
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (status, "")
    check_message(result.stderr, says)
    assert list(tmp_path.iterdir()) == []


def check_message(text: str, says: list[str]) -> None:
    """One or two lines of readable length that start with the program's name and hold every part."""
    assert text.startswith("graphacct: ")
    assert text.count("\n") <= 2
    assert len(text) < 1500
    assert "Traceback" not in text
    assert "internal error" not in text
    for part in says:
        assert part in text


FILES: list[tuple[str, bytes, list[str]]] = [
    ("cut off", b'{"schema": ', ["no JSON", "line 1"]),
    ("no graph", b"[1, 2]", ["object"]),
    ("too deep", b"[" * 200_000 + b"]" * 200_000, ["nested too deep"]),
    ("a million digits", b'{"a": ' + b"9" * 1_000_000 + b"}", ["number that cannot be read"]),
    ("NaN", b'{"a": NaN}', ["NaN"]),
    ("no text", b"\xff\xfe{}", ["UTF-8"]),
    ("empty", b"", ["no JSON"]),
]


@pytest.mark.parametrize(("content", "says"), [file[1:] for file in FILES], ids=[file[0] for file in FILES])
def test_a_broken_file_is_named(run: Any, tmp_path: Path, content: bytes, says: list[str]) -> None:
    """A file that cannot be read as a graph ends in a message with its name and the place."""
    path = tmp_path / "model.json"
    path.write_bytes(content)
    result = run("report", str(path), "--format", "json")
    assert (result.exit_code, result.stdout) == (1, "")
    check_message(result.stderr, ["model.json", *says])


def saved(run: Any, tmp_path: Path) -> tuple[Path, dict[str, Any]]:
    """The file of a small graph, and its content."""
    path = tmp_path / "model.json"
    assert run("export", "gpt2", "--set", "n_layer=1", "-o", str(path)).exit_code == 0
    return path, json.loads(path.read_text())


def test_an_unknown_operator_is_an_error_unless_asked_for(run: Any, tmp_path: Path) -> None:
    """By default the message names node and operator and both ways out; --unknown report says it beside the totals."""
    path, graph = saved(run, tmp_path)
    graph["nodes"][-1]["operator"] = "linaer"
    path.write_text(json.dumps(graph))
    result = run("report", str(path))
    assert (result.exit_code, result.stdout) == (1, "")
    check_message(result.stderr, ["'lm_head'", "'linaer'", "did you mean 'linear'", "--unknown report"])
    result = run("report", str(path), "--unknown", "report")
    assert result.exit_code == 0
    assert "24 of 25 nodes" in result.stdout
    assert "lm_head (linaer)" in result.stdout


def test_a_cycle_and_a_dangling_edge_are_named(run: Any, tmp_path: Path) -> None:
    """A graph that is no DAG, or that asks for a value that nothing makes, is refused by the node's name."""
    path, graph = saved(run, tmp_path)
    head = graph["nodes"][-1]
    before = head["inputs"][0]
    head["inputs"][0] = "lm_head"
    path.write_text(json.dumps(graph))
    result = run("report", str(path))
    assert result.exit_code == 1
    check_message(result.stderr, ["lm_head", "cycle"])
    head["inputs"][0] = f"{before}_x"
    path.write_text(json.dumps(graph))
    result = run("report", str(path))
    assert result.exit_code == 1
    check_message(result.stderr, ["lm_head", f"{before}_x"])


def test_shapes_that_do_not_fit_are_named_with_both_sizes(run: Any, tmp_path: Path) -> None:
    """A shape mismatch names the node, the operator, the dimension and both sizes."""
    path, graph = saved(run, tmp_path)
    graph["nodes"][-1]["inputs"][1]["shape"] = [50257, 767]
    graph["nodes"][-1]["inputs"][1].pop("tied_to", None)
    graph["nodes"][-1].pop("outputs", None)
    path.write_text(json.dumps(graph))
    result = run("report", str(path))
    assert result.exit_code == 1
    check_message(result.stderr, ["lm_head", "linear", "768", "767"])


def test_an_output_that_exists_is_kept_when_the_request_fails(run: Any, tmp_path: Path) -> None:
    """A failing request leaves the file of an earlier one as it is."""
    path = tmp_path / "report.json"
    path.write_text("before")
    assert run("report", "gpt2", "--batch", "0", "-o", str(path)).exit_code == 1
    assert path.read_text() == "before"


def test_names_in_messages_cannot_control_the_terminal(run: Any, tmp_path: Path) -> None:
    """Escape sequences and newlines in a name are shown, not obeyed."""
    path, graph = saved(run, tmp_path)
    graph["nodes"][-1]["operator"] = "linear\x1b[2J\n\n\nmore"
    path.write_text(json.dumps(graph))
    result = run("report", str(path))
    assert result.exit_code == 1
    assert "\x1b" not in result.stderr
    check_message(result.stderr, ["lm_head"])


def test_an_operator_that_ends_the_program_is_an_error(run: Any, tmp_path: Path) -> None:
    """Its exit status 0 is not the command's, which has nothing to show."""
    plugin = tmp_path / "quitter.py"
    plugin.write_text(
        "import graphacct\n"
        "@graphacct.operator('x: ... n -> ... n', replaces=True)\n"
        "def softmax(batch, n):\n"
        "    raise SystemExit(0)\n"
        "@graphacct.hookimpl\n"
        "def graphacct_register_operators():\n"
        "    return [softmax]\n"
    )
    result = run("report", "gpt2", "--attention", "eager", "--plugin", str(plugin))
    assert result.exit_code == 1
    assert "ended the program: SystemExit(0)" in result.stderr
