"""A model against a library's class of it, as a plugin measures that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

import graphacct
from graphacct.checkpoints.verify_class import library_keys, short_length
from graphacct.cli import cli
from graphacct.errors import ConfigError, PluginError, ReadError
from graphacct.hooks.manager import default, load
from graphacct.models.find import find_model
from graphacct.render.class_verification import sheet, to_dict

SIZES = {"vocab_size": 16, "n_embd": 8, "n_layer": 2, "n_head": 2, "n_positions": 4}
LIBRARY = """
import graphacct

SEEN = []


@graphacct.hookimpl(tryfirst=True)
def graphacct_measure_class(config, workload):
    SEEN.append((config, workload))
    report = graphacct.account("gpt2", set={k: v for k, v in config.items() if k != "model_type"}, seq_len=4)
    parameters = {}
    for row in report.by_parameter:
        if not row.parameter.tied_to and not row.parameter.buffer:
            for index in range(row.count):
                name = row.parameter.name.replace("*", str(index), 1)
                parameters[name] = row.parameter.spec.elements
    forward = {"": HEAD + LAYERS, "transformer": LAYERS, "lm_head": HEAD, "transformer.unheard": 5}
    modules = {"", "transformer", "lm_head", "transformer.unheard"}
    memory = {"saved_bytes": 1}
    return graphacct.ClassMeasurement("lib: GPT2", "a counter", modules, parameters, forward, {}, {"mv": 2}, memory)


HEAD = 2 * 4 * 8 * 16
LAYERS = 2 * (2 * 4 * 12 * 8 * 8 + 2 * 2 * 4 * 4 * 8)
"""


def library(tmp_path: Path, text: str = LIBRARY) -> str:
    file = tmp_path / "library.py"
    file.write_text(text)
    return str(file)


def test_equal_and_different_figures(tmp_path: Path) -> None:
    """Parameters with their indices as `*`, FLOPs of the modules that both have and of one that only they have."""
    found = graphacct.verify_class("gpt2", set=SIZES, seq_len=4, plugins=load(files=[library(tmp_path)]))
    lines = {(line.what, line.path): line for line in found.lines}
    assert lines["params", ""].ours == lines["params", ""].theirs == 16 * 8 + 4 * 8 + 2 * (12 * 64 + 13 * 8) + 16
    assert lines["params", "transformer.h.*.attn.c_attn.weight"].theirs == 2 * 3 * 64
    assert lines["forward", "transformer"].difference == lines["forward", "lm_head"].difference == 0
    assert lines["forward", "transformer.unheard"].difference == -5
    assert lines["saved_bytes", ""].theirs == 1
    assert not found.equal
    wrong = {line.what for line in found.differences}
    assert wrong == {"forward", "step", "saved_bytes"}


def test_what_the_library_is_told(tmp_path: Path) -> None:
    """The keys of the configuration, and the sizes with attention written out."""
    plugins = load(files=[library(tmp_path)])
    graphacct.verify_class("gpt2", set=SIZES, seq_len=4, batch=1, plugins=plugins)
    (module,) = (item for item in plugins.manager.get_plugins() if hasattr(item, "SEEN"))
    config, workload = module.SEEN[0]
    assert config["model_type"] == "gpt2"
    assert config["n_layer"] == 2
    assert workload == {"batch": 1, "seq_len": 4, "attention": "eager", "dtype": "float32"}


@pytest.mark.parametrize(("sizes", "length"), [({}, 8), ({"n_positions": 4}, 4)])
def test_a_sequence_is_short_unless_it_is_given(sizes: dict[str, int], length: int, tmp_path: Path) -> None:
    """8 tokens, or as many as the model has; the sheet and the JSON say for which workload the figures are."""
    plugins = load(files=[library(tmp_path)])
    found = graphacct.verify_class("gpt2", set={**SIZES, "n_positions": 64, **sizes}, plugins=plugins)
    assert found.workload["seq_len"] == length
    (module,) = (item for item in plugins.manager.get_plugins() if hasattr(item, "SEEN"))
    assert module.SEEN[0][1]["seq_len"] == length
    assert f"of batch 1, seq_len {length}, attention eager, dtype float32, vocab_size 16" in sheet(found).subtitle
    assert to_dict(found)["workload"]["seq_len"] == length
    assert to_dict(found)["set"]["n_layer"] == 2


def test_a_sequence_has_room_for_its_images() -> None:
    """8 tokens beside the placeholders: 4 of each image, of 16 patches four as one."""
    tower = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    text = {"model_type": "llama", **tower, "vocab_size": 16, "max_position_embeddings": 64}
    model = {
        **{"model_type": "idefics3", "architectures": ["Idefics3Model"], "text_config": text, "scale_factor": 2},
        "vision_config": {**tower, "image_size": 16, "patch_size": 4},
    }
    found = find_model(model, default())
    workloads: list[dict[str, int]] = [{}, {"images": 3, "tiles": 2}, {"images": 0}, {"images": 15}]
    lengths = [short_length(found, {}, sizes, default())["seq_len"] for sizes in workloads]
    assert lengths == [4 + 8, 3 * 2 * 4 + 8, 8, 64]


def test_keys_of_a_file(tmp_path: Path) -> None:
    """A file's own, with what the user overrides."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"model_type": "gpt2", "n_embd": 64, "summary_type": "cls_index"}))
    keys = library_keys(str(file), default(), {"n_layer": 3})
    assert keys == {"model_type": "gpt2", "n_embd": 64, "summary_type": "cls_index", "n_layer": 3}


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (graphacct.build("gpt2"), {}, "<Graph gpt2: 25 nodes> has no config.json that a library's class is built from"),
        ("gpt2", {"phase": "train"}, "phase: a forward pass and a step from the sum of the outputs are compared"),
    ],
)
def test_refusals(model: object, options: dict[str, str], message: str, tmp_path: Path) -> None:
    """A model of no library's, and options that are the comparison's own."""
    with pytest.raises(ConfigError, match=message):
        graphacct.verify_class(model, plugins=load(files=[library(tmp_path)]), **options)  # type: ignore[arg-type]


def test_no_library_and_nonsense(tmp_path: Path) -> None:
    """What to install, and who returned something else."""
    none = library(tmp_path, LIBRARY.split("    SEEN.append")[0].replace("tryfirst=True", "") + "    return None\n")
    plugins = load(files=[none])
    if plugins.manager.has_plugin("graphacct-torch"):
        plugins.manager.unregister(name="graphacct-torch")
    with pytest.raises(ReadError, match="no plugin measures the library's class of 'gpt2': graphacct-torch knows"):
        graphacct.verify_class("gpt2", seq_len=4, plugins=plugins)
    other = tmp_path / "other"
    other.mkdir()
    nonsense = library(other, LIBRARY.split("    SEEN.append")[0] + "    return 3\n")
    with pytest.raises(PluginError, match=r"graphacct_measure_class of plugin library.* returned 3, which is no Cl"):
        graphacct.verify_class("gpt2", seq_len=4, plugins=load(files=[nonsense]))


def test_the_command(tmp_path: Path) -> None:
    """A table with the totals and what differs, JSON with everything, and the exit status."""
    call = ["verify", "gpt2", "--torch", "--seq-len", "4", "--plugin", library(tmp_path)]
    call += [part for key, value in SIZES.items() for part in ("--set", f"{key}={value}")]
    result = CliRunner().invoke(cli, call)
    assert result.exit_code == 1
    assert "gpt2  against lib: GPT2, counted by a counter" in result.stdout
    assert "16 of 16 parameters are equal" in result.stdout
    assert "forward FLOPs of transformer.unheard" in result.stdout
    assert "a counter does not see 2 of mv" in result.stdout
    assert "transformer.h.*.attn.c_attn.weight" not in result.stdout
    found = json.loads(CliRunner().invoke(cli, [*call, "--format", "json"]).stdout)
    assert found["schema"] == "graphacct.class-verification/1"
    assert {"what": "forward", "path": "lm_head", "ours": 1024, "theirs": 1024, "difference": 0} in found["lines"]
    both = CliRunner().invoke(cli, [*call, "--checkpoint", "x.safetensors"])
    assert both.exit_code == 2
    assert "--torch and --checkpoint are two comparisons" in both.stderr
