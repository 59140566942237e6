"""graphacct memory --on, and graphacct list devices."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from graphacct import memory
from graphacct.render.memory import to_dict

SMALL = ["gpt2", "--seq-len", "16", "--set", "n_layer=3"]
OPTIONS: dict[str, Any] = {"seq_len": 16, "set": {"n_layer": 3}}


def test_json_is_what_python_gives(run: Any) -> None:
    """The same words in both."""
    result = run("memory", *SMALL, "--on", "t4,h100", "--format", "json")
    assert json.loads(result.stdout) == json.loads(json.dumps(to_dict(memory("gpt2", on="t4,h100", **OPTIONS))))


def test_csv_has_a_row_for_each_device(run: Any) -> None:
    """Without the ways out, which JSON has."""
    rows = list(csv.DictReader(StringIO(run("memory", *SMALL, "--on", "all", "--format", "csv").stdout)))
    assert len(rows) == 41
    row = next(row for row in rows if row["name"] == "RTX-4090")
    assert (row["capacity"], row["nominal"], row["fits"]) == ("24000000000", "true", "true")


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_tables(run: Any, form: str, tmp_path: Path) -> None:
    """One of the devices, and one of the ways out for the largest that is too small; a file has both."""
    (tmp_path / "mine.toml").write_text(
        '[[device]]\nname = "tiny"\nmemory_bytes = 1000000\n[[device]]\nname = "less"\nmemory_bytes = 100\n'
    )
    asked = ["memory", *SMALL, "--on", f"{tmp_path / 'mine.toml'},rtx-4090", "--format", form]
    shown = run(*asked).stdout
    for words in ("RTX-4090", "24.0 GB nominal", "nominal: the product", "ways out for tiny", "recompute full", "none"):
        assert words in shown
    assert "ways out for less" not in shown
    run(*asked, "-o", str(tmp_path / "out.txt"))
    assert "ways out for tiny" in (tmp_path / "out.txt").read_text()
    only = run("memory", *SMALL, "--on", "h100", "--format", form).stdout
    assert "ways out" not in only
    assert "nominal" not in only


def test_a_search_without_an_end_is_said_once(run: Any, tmp_path: Path) -> None:
    """On a device of 10^29 bytes no batch is too large."""
    file = tmp_path / "huge.toml"
    file.write_text('[[device]]\nname = "huge"\nmemory_gb = 100_000_000_000_000_000_000\n')
    shown = run("memory", *SMALL, "--on", str(file)).stdout
    assert "no larger batch was tried" in shown
    assert "no larger batch: " not in shown


def test_list_devices(run: Any) -> None:
    """Every device with its memory and its source; the conflicts are in JSON and CSV."""
    shown = run("list", "devices").stdout
    assert shown.startswith("devices: 41")
    assert "24.0 GB nominal" in shown
    items = json.loads(run("list", "devices", "--format", "json").stdout)["items"]
    sxm = next(item for item in items if item["name"] == "H100-SXM")
    assert (sxm["memory_bytes"], sxm["nominal"], "h100" in sxm["aliases"]) == (85_520_809_984, False, True)
    assert sxm["source"]
    assert "3072 GB/s" in sxm["conflicts"]


def test_python_shows_what_the_command_prints(run: Any) -> None:
    """Each device with its answer, and the ways out; in a notebook too. The repr is a line."""
    found = memory("gpt2", on="rtx-4090,t4,h100", batch=64, **OPTIONS)
    assert str(found).split() == run("memory", *SMALL, "--batch", "64", "--on", "rtx-4090,t4,h100").stdout.split()
    large = memory("gpt2-xl", on="rtx-4090,t4", seq_len=16)
    for shown in (str(large), large._repr_html_()):
        for words in ("Headroom", "Largest batch", "ways out for RTX-4090", "ask for T4 alone"):
            assert words in shown
    assert repr(large) == f"<Memory gpt2-xl: {large.total:,} bytes, phase train; RTX-4090 no; T4 no>"
    device = large.devices[0]
    assert repr(device) == f"<DeviceFit RTX-4090: no, {large.total:,} of 24,000,000,000 bytes>"
    assert repr(device.ways_out[0]).startswith("<WayOut dtype bf16: no, ")
    assert "ways out" not in str(memory("gpt2", **OPTIONS))


def test_parameters_that_zero_3_gathers_are_left_out_by_name(run: Any) -> None:
    """The largest are a table's, 50,257 · 768 of 4 bytes."""
    sharded = run("memory", *SMALL, "--dp", "8", "--zero", "3", "--on", "rtx-4090").stdout
    assert "parameters that ZeRO 3 gathers for a layer (154 MB of wte)" in sharded.replace("transformer.", "")
    assert memory("gpt2", dp=8, zero=3, **OPTIONS).largest_gathered[1] == 50_257 * 768 * 4  # type: ignore[index]
    assert "gathers" not in run("memory", *SMALL, "--dp", "8", "--zero", "2", "--on", "rtx-4090").stdout
    assert "gathers" not in run("memory", *SMALL, "--dp", "1", "--zero", "3").stdout


def test_a_sequence_beyond_the_configurations_positions_is_said(run: Any, tmp_path: Path) -> None:
    """Rotary positions have no table that ends: the longest sequence that fits may be longer than the model's own."""
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 99}
    file = tmp_path / "config.json"
    for most, beyond in ((4096, True), (2**40, False)):
        content = {"model_type": "llama", **sizes, "intermediate_size": 64, "max_position_embeddings": most}
        file.write_text(json.dumps(content))
        shown = run("memory", str(file), "--seq-len", "16", "--on", "t4").stdout
        said = "configuration has 4,096 positions (max_position_embeddings): a longer seq_len is beyond them"
        assert (said in " ".join(shown.split())) is beyond
        searched = run("memory", str(file), "--fits", "1GiB", "--max-seq-len").stdout
        assert (said in " ".join(searched.split())) is beyond
    assert "beyond n_positions 1024" in run("memory", *SMALL, "--on", "h100").stdout


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        (["--on", "a100"], 1, "device 'a100' may be A100-SXM4-40GB, A100-SXM4-80GB or A100-PCIe-80GB: name one"),
        (["--on", "h1000"], 1, "unknown device 'h1000'; did you mean 'H100-SXM'?"),
        (["--on", ""], 1, "--on is '', which names no device: write --on h100,a100-80gb or --on all"),
        (["--on", "2xh100"], 1, "device '2xh100' is 'H100-SXM' and a number: each rank has one device, so name the"),
        (["--on", "h100x4"], 1, "divide training over ranks with --dp 4 and --zero 3"),
        (
            ["--on", "8xh100", "--phase", "decode", "--cache-len", "8"],
            1,
            "is not modelled: --dp 8 and --zero 3 divide its weights alone, which each layer gathers",
        ),
        (["--recompute", "yes"], 1, "--recompute 'yes' matches no node (policies: none, full, selective, op-selective"),
        (
            ["--fits", "1GB", "--max-batch", "--max-seq-len"],
            2,
            "exclude each other: give one, or a device (--on h100), which has both",
        ),
        (["--on", "2xh1000"], 1, "unknown device '2xh1000'"),
        (["--recompute", "--on", "h100"], 2, "--recompute has no value: --on is an option: In training: none, full,"),
        (["--dp", "--zero=3"], 2, "--dp has no value: --zero=3 is an option: Data-parallel ranks"),
        (["--gradient-checkpointing"], 2, "no such option '--gradient-checkpointing'; here it is --recompute full"),
        (["--qlora"], 2, "no such option '--qlora'; here it is --weights nf4 --lora 16:all-linear"),
        (["--load_in_4bit"], 2, "no such option '--load_in_4bit'; here it is --weights nf4"),
        (["--weights", "4bit"], 1, "unknown weight format '4bit' (of 4 bits: nf4, int4, mxfp4; QLoRA's is nf4; graph"),
        (["--on", "none.toml"], 1, "cannot read the devices of 'none.toml': No such file or directory"),
        (["--on", "h100,24GiB"], 2, "--on takes devices, and 24GiB is a size of memory: ask with --fits 24GiB"),
        (
            ["--convention", "matmul"],
            2,
            "no such option '--convention': it belongs to graphacct report and graphacct draw",
        ),
        (["--on", "h100", "--fits", "24GB"], 2, "--on answers for devices, --fits for one memory: leave --fits out"),
        (["--on", "h100", "--max-batch"], 2, "--on gives the largest sizes for each device: leave --max-batch out"),
        (["--on", "h100", "--timeline"], 2, "--on shows devices in place of the parts: leave --timeline out"),
    ],
)
def test_bad_input_ends_in_a_line(run: Any, options: list[str], status: int, words: str) -> None:
    result = run("memory", *SMALL, *options)
    assert result.exit_code == status
    assert words in " ".join(result.stderr.split())
    assert len(result.stderr.strip().splitlines()) <= 2


@pytest.mark.parametrize("device", ["h100", "t4"])
def test_whose_the_batch_is_is_said_once(run: Any, device: str) -> None:
    """With a yes and with a no."""
    shown = run("memory", "gpt2-xl", "--seq-len", "512", "--dp", "2", "--zero", "3", "--on", device).stdout
    assert shown.count("the batch is that of one rank") == 1


def test_a_stage_without_ranks_divides_nothing(run: Any) -> None:
    for options in ([], ["--on", "h100"]):
        assert "zero 3 divides nothing with dp 1: give dp" in run("memory", *SMALL, "--zero", "3", *options).stdout
        assert "divides nothing" not in run("memory", *SMALL, "--zero", "3", "--dp", "2", *options).stdout


def test_a_long_sequence_that_was_not_given_is_said(run: Any, tmp_path: Path) -> None:
    """Nobody fine-tunes on 131,072 tokens by default; the model's own length is taken, and said."""
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 99}
    file = tmp_path / "config.json"
    said = "seq_len 16,384 is the model's longest, as none was given: give --seq-len"
    content = {"model_type": "llama", **sizes, "intermediate_size": 64, "max_position_embeddings": 16384}
    file.write_text(json.dumps(content))
    for asked in (["--on", "t4"], ["--fits", "16GB"]):
        assert said in " ".join(run("memory", str(file), *asked).stdout.split())
        assert "none was given" not in run("memory", str(file), "--seq-len", "16384", *asked).stdout
        assert "none was given" not in run("memory", str(file), "--phase", "decode", *asked).stdout
    assert "none was given" not in run("memory", "gpt2", "--fits", "16GB").stdout


def test_the_longest_sequence_of_a_plugins_own_model(run: Any, tmp_path: Path) -> None:
    """A model that only the file of --plugin has is found for every line of the answer."""
    (tmp_path / "own.py").write_text(
        "import attrs\nimport graphacct\n\n"
        "@attrs.frozen\nclass Config:\n    width: int = graphacct.fields.size(8)\n\n"
        "def build(config, workload, b):\n"
        "    x = b.input('x', (workload.batch, workload.seq_len, config.width))\n"
        "    return b.apply('relu', x)\n\n"
        "@graphacct.hookimpl\ndef graphacct_register_architectures():\n"
        "    return [graphacct.Architecture('own', Config, build, {}, sizes={'seq_len': lambda config: 16})]\n"
    )
    asked = ("--plugin", str(tmp_path / "own.py"), "--phase", "forward", "--dtype", "fp32")
    found = run("memory", "own", *asked, "--fits", "64kB", "--max-seq-len")
    # the input and the output are there at once, 2 * 8 numbers of 4 bytes a token
    assert "the largest seq_len that fits is 1,000" in found.stdout, found.stderr
