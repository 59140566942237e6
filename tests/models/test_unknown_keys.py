"""Keys of a config.json that the family does not take: of no cost, not understood, near a size, or an error."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import graphacct
from graphacct.cli import cli
from graphacct.errors import ConfigError, ReadError
from graphacct.graph.config_keys import ConfigKeys
from graphacct.hooks.manager import default
from graphacct.models.find import ModelChoice, find_model, presets
from graphacct.models.near_keys import edits, stands_for

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "vocab_size": 100,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}
SIZES = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "vocab_size")


def keys(**more: Any) -> ConfigKeys:
    """What becomes of the keys of a Llama's file with these keys more."""
    found = find_model({**LLAMA, **more}, default())
    assert isinstance(found, ModelChoice)
    return found.keys


def file(folder: Path, content: dict[str, Any]) -> str:
    path = folder / "config.json"
    path.write_text(json.dumps(content))
    return str(path)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, arguments)


def test_every_key_is_accounted_for() -> None:
    """Keys that the library's classes have besides sizes change no cost; nobody knows the two others."""
    found = keys(
        initializer_range=0.02,
        bos_token_id=1,
        audio_token_id=7,
        rope_theta=1e6,
        auto_map={"AutoConfig": "x.Config"},
        task_specific_params=None,
        do_sample=True,
        frobnicate=3,
        tie_word_embeding=True,
        no_value=None,
    )
    assert found.not_understood == ("frobnicate", "tie_word_embeding")
    assert found.no_cost == (
        "initializer_range",
        "bos_token_id",
        "audio_token_id",
        "rope_theta",
        "auto_map",
        "task_specific_params",
        "do_sample",
        "no_value",
    )
    assert found.notes() == ("not understood: frobnicate, tie_word_embeding (tie_word_embeddings?)",)


def test_a_key_of_no_cost_has_the_values_at_which_that_holds() -> None:
    """Dropout of 0 and a switch that is off cost nothing; a family that does not take them knows nothing of others."""
    assert keys(embd_pdrop=0.0, qkv_bias=False).no_cost == ("embd_pdrop", "qkv_bias")
    assert keys(embd_pdrop=0.1, qkv_bias=True).not_understood == ("embd_pdrop", "qkv_bias")


@pytest.mark.parametrize(
    ("key", "size"),
    [
        ("dim", "hidden_size"),
        ("d_model", "hidden_size"),
        ("hiddenSize", "hidden_size"),
        ("hiden_size", "hidden_size"),
        ("hidden_dim", "intermediate_size"),
        ("ffn_dim", "intermediate_size"),
        ("intermediate_sise", "intermediate_size"),
        ("n_layers", "num_hidden_layers"),
        ("n_layer", "num_hidden_layers"),
        ("num_layers", "num_hidden_layers"),
        ("num_hidden_layer", "num_hidden_layers"),
        ("num_hiddne_layers", "num_hidden_layers"),
        ("num-hidden-layers", "num_hidden_layers"),
        ("n_heads", "num_attention_heads"),
        ("num_heads", "num_attention_heads"),
        ("n_vocab", "vocab_size"),
        ("layer_num", "num_hidden_layers"),
        ("hidden_layers", "num_hidden_layers"),
        ("attention_head_num", "num_attention_heads"),
        ("hidden_units", "hidden_size"),
        ("vocabulary", "vocab_size"),
        ("intermediateDim", "intermediate_size"),
        ("head_size", ""),  # a width, which this family does not have; no count of heads
        ("frobnicate", ""),
        ("layer_scale", ""),
        ("num_hidden_groups", ""),
    ],
)
def test_which_size_a_key_stands_for(key: str, size: str) -> None:
    """Other libraries' spellings, other ways to write words, and slips of a letter or two; no other word."""
    assert stands_for(key, SIZES) == size


@pytest.mark.parametrize(
    ("key", "sizes", "size"),
    [
        ("n_ead", ("n_embd", "n_head", "n_layer"), "n_head"),
        ("n_emb", ("n_embd", "n_head", "n_layer"), "n_embd"),
        ("dims", ("dim", "n_heads"), "dim"),
        ("depth", ("depths", "num_hidden_layers"), "depths"),
        ("hidden_size", ("hidden_sizes", "embedding_size"), "hidden_sizes"),
        ("visoin_config", ("vision_config", "text_config"), "vision_config"),
        ("r_ff", ("d_ff", "d_kv"), ""),
    ],
)
def test_short_names_and_plurals(key: str, sizes: tuple[str, ...], size: str) -> None:
    """A letter less in a short name, an s more or less, and objects that hold sizes."""
    assert stands_for(key, sizes) == size


def test_edits() -> None:
    """Added, removed, replaced, swapped: one each."""
    for one, other, count in (("ab", "abc", 1), ("abc", "ac", 1), ("abc", "axc", 1), ("abc", "acb", 1), ("abc", "", 3)):
        assert edits(one, other, 2) == edits(other, one, 2) == count


def test_a_size_in_another_spelling_is_an_error(tmp_path: Path) -> None:
    """The keys of Meta's params.json in a file of Qwen2, none of whose files has them: the class has 32 layers."""
    content = {"model_type": "qwen2", "dim": 2048, "n_layers": 16, "n_heads": 16, "n_kv_heads": 8, "hidden_dim": 5632}
    result = run("report", file(tmp_path, {**content, "vocab_size": 32000}))
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 2
    for key, size in {
        "dim": "hidden_size",
        "n_layers": "num_hidden_layers",
        "n_heads": "num_attention_heads",
        "n_kv_heads": "num_key_value_heads",
        "hidden_dim": "intermediate_size",
    }.items():
        assert f"{key} (for {size})" in result.stderr
    assert "null leaves one out (--set dim=null)" in result.stderr


def test_a_slip_beside_the_key_itself(tmp_path: Path) -> None:
    """The same value says the same; another is not understood, and `set` leaves one out that stands alone."""
    assert keys(n_layers=2).no_cost == ("n_layers",)
    assert keys(n_layers=3).not_understood == ("n_layers",)
    path = file(tmp_path, {key: value for key, value in LLAMA.items() if key != "num_hidden_layers"} | {"n_layers": 2})
    with pytest.raises(
        ReadError, match=r"llama has no n_layers \(for num_hidden_layers\): left out, the default sizes"
    ):
        graphacct.build(path, seq_len=4)
    for sizes in ({"n_layers": None, "num_hidden_layers": 2}, {"num_hidden_layers": 2}):
        assert graphacct.account(path, seq_len=4, set=sizes).total == graphacct.account(LLAMA, seq_len=4).total


def test_a_costly_key_is_an_error_unless_it_is_off(tmp_path: Path) -> None:
    """All layers with full attention are Llama's layers; a window is off where another key says so, or by `set`."""
    assert keys(layer_types=["full_attention"] * 2).no_cost == ("layer_types",)
    with pytest.raises(ReadError, match=r"layer_types is \['sliding_attention', 'full_attention'\], which llama does"):
        keys(layer_types=["sliding_attention", "full_attention"])
    assert keys(sliding_window=-7, use_sliding_window=False).no_cost == ("sliding_window", "use_sliding_window")
    path = file(tmp_path, {**LLAMA, "sliding_window": 64})
    with pytest.raises(
        ReadError, match=r"which llama does not know .*\nset=sliding_window=null reads the file without it"
    ):
        graphacct.build(path)
    assert graphacct.build(path, seq_len=4, set={"sliding_window": None}).name == tmp_path.name


@pytest.mark.parametrize("window", [0, None, -3, "all", 10**30])
def test_a_switched_off_key_is_not_checked(window: Any) -> None:
    """Qwen1.5's files turn the window off and say anything of it; turned on, it is checked."""
    qwen = {**LLAMA, "model_type": "qwen2", "num_key_value_heads": 4}
    content = {**qwen, "sliding_window": window}
    off = graphacct.account({**content, "use_sliding_window": False}, seq_len=8)
    assert off.total == graphacct.account(qwen, seq_len=8).total
    if window is not None:
        with pytest.raises(ReadError, match="sliding_window must be"):
            graphacct.build({**content, "use_sliding_window": True})


def test_a_window_of_no_position(tmp_path: Path) -> None:
    """A window of 0 in a file is none, as the library's class takes it; below that it is refused."""
    content = {**LLAMA, "model_type": "mistral", "num_key_value_heads": 4}
    path = file(tmp_path, {**content, "sliding_window": 0})
    assert (
        graphacct.account(path, seq_len=9).total
        == graphacct.account(content | {"sliding_window": None}, seq_len=9).total
    )
    path = file(tmp_path, {**content, "sliding_window": -1})
    with pytest.raises(ReadError, match=r"sliding_window must be positive .*, not -1; null if there is none$"):
        graphacct.build(path)


def test_layers_for_further_tokens_are_said() -> None:
    """The library's class leaves them out; 0 of them are none."""
    found = keys(num_nextn_predict_layers=2)
    said = "2 layers that predict further tokens (num_nextn_predict_layers), which the model's class does not have"
    assert (found.not_understood, found.no_cost, found.left_out) == ((), (), {"num_nextn_predict_layers": said})
    assert found.notes() == (f"left out: {said}",)
    assert keys(mtp_num_hidden_layers=1).notes()[0].startswith("left out: 1 layer that predicts further tokens")
    assert keys(num_nextn_predict_layers=0).no_cost == ("num_nextn_predict_layers",)


def test_keys_of_a_tower() -> None:
    """They are given by their paths; a slip in a size of a tower is an error too."""
    clip = {"model_type": "clip", "text_config": {"hidden_size": 64, "frobnicate": 1, "bos_token_id": 0}}
    report = graphacct.account(clip, seq_len=4)
    assert report.config_keys is not None
    assert report.config_keys.not_understood == ("text_config.frobnicate",)
    assert report.config_keys.no_cost == ("text_config.bos_token_id",)
    slip = {"model_type": "clip", "text_config": {"hidden_size": 64, "num_layers": 1}}
    with pytest.raises(ReadError, match=r"clip has no text_config.num_layers \(for num_hidden_layers\)"):
        graphacct.build(slip)
    found = graphacct.account(slip, seq_len=4, set={"text_config.num_layers": None})
    assert found.total == graphacct.account({"model_type": "clip", "text_config": {"hidden_size": 64}}, seq_len=4).total


def test_settings_of_rotary_positions_that_nobody_knows() -> None:
    """They are named by their path."""
    found = keys(rope_scaling={"rope_type": "linear", "factor": 2.0, "frobnicate": 1})
    assert found.not_understood == ("rope_scaling.frobnicate",)


@pytest.mark.parametrize("value", [-1.0, 0, "much", True, float("nan"), [1]])
def test_a_base_of_rotary_positions_is_a_positive_number(value: Any) -> None:
    """It changes no cost, but no model has such a one."""
    with pytest.raises(ReadError, match=r"rope_theta is .*, and must be a positive number"):
        keys(rope_theta=value)


def test_no_preset_has_a_key_that_is_not_understood() -> None:
    """Every key of our own files is read, or said to be left out."""
    for name, item in presets().items():
        if name not in item.presets and item.load().needed:  # no model of its own: only a file says its sizes
            continue
        found = find_model(name, default())
        assert isinstance(found, ModelChoice)
        assert (found.keys.not_understood, found.keys.no_cost) == ((), ()), name


def test_every_output_says_it(tmp_path: Path) -> None:
    """Tables, Markdown and JSON in themselves; CSV, a picture and an explanation on standard error."""
    path = file(tmp_path, {**LLAMA, "frobnicate": 1, "bos_token_id": 1, "num_mtp_layers": 1})
    note, left = "not understood: frobnicate", "left out: 1 layer that predicts further tokens (num_mtp_layers)"
    for form in ("table", "markdown"):
        for command in ("report", "memory"):
            result = run(command, path, "--seq-len", "4", "--format", form)
            shown = " ".join(result.stdout.replace("&#95;", "_").split())
            assert note in shown, (command, form)
            assert left in shown, (command, form)
    expected = {"not_understood": ["frobnicate"], "no_cost": ["bos_token_id"], "left_out": ["num_mtp_layers"]}
    for command in ("report", "memory"):
        result = run(command, path, "--seq-len", "4", "--format", "json")
        assert json.loads(result.stdout)["config_keys"] == expected
        assert result.stderr == ""
        result = run(command, path, "--seq-len", "4", "--format", "csv")
        assert f"{tmp_path.name}: {note}\n" in result.stderr
        assert note not in result.stdout
    for arguments in (
        ("explain", path, "lm_head"),
        ("params", path, "--format", "csv"),
        ("compare", path, "llama", "--format", "csv"),
        ("draw", path, "-o", str(tmp_path / "a.dot")),
        ("export", path, "-o", str(tmp_path / "a.json")),
    ):
        assert note in run(*arguments).stderr, arguments


@pytest.mark.parametrize("key", ["hidden_size", "num_hidden_layers", "vocab_size", "intermediate_size"])
def test_a_size_that_is_null_is_an_error(key: str) -> None:
    """The library (5.23) refuses null for these; the class's default would be taken for the file's."""
    with pytest.raises(ReadError, match=f": {key} is null: give a number, or leave it out for the class's default$"):
        keys(**{key: None})


def test_null_where_it_is_a_value() -> None:
    """The library takes null key-value heads for as many as there are heads; another spelling may have the number."""
    content = {**LLAMA, "num_key_value_heads": None}
    assert graphacct.account(content, seq_len=4).total == graphacct.account(LLAMA, seq_len=4).total
    gpt2 = {"model_type": "gpt2", "n_embd": 64, "n_head": 4, "n_layer": 2, "vocab_size": 100}
    both = {**gpt2, "n_layer": None, "num_hidden_layers": 2}
    assert graphacct.account(both, seq_len=4).total == graphacct.account(gpt2, seq_len=4).total
    off = {
        **LLAMA,
        "model_type": "qwen2",
        "num_key_value_heads": 4,
        "use_sliding_window": False,
        "max_window_layers": None,
    }
    assert graphacct.account(off, seq_len=4).total["params"] > 0


@pytest.mark.parametrize("value", [True, -1, "2", 1.5, [1]])
def test_a_count_of_further_layers_that_is_none(value: object) -> None:
    """It is not understood, and not silently no layer."""
    found = keys(num_nextn_predict_layers=value)
    assert found.not_understood == ("num_nextn_predict_layers",)
    assert keys(num_nextn_predict_layers=0).no_cost == ("num_nextn_predict_layers",)


def test_sizes_in_an_object_of_their_own() -> None:
    """A file whose sizes are all in text_config says where they are."""
    content = {"model_type": "llama", "text_config": {**LLAMA}, "frobnicate": 1}
    with pytest.raises(ReadError) as caught:
        find_model(content, default())
    assert str(caught.value) == (
        "the configuration: no size of llama was read; not understood: text_config, frobnicate\n"
        "text_config has some: save that object as a config.json of its own to read it"
    )


def test_a_model_without_a_file_has_no_keys() -> None:
    """A preset and a family's defaults have none that are unknown, and a finished graph has no file."""
    none: dict[str, Any] = {"not_understood": [], "no_cost": []}
    assert graphacct.account("gpt2", seq_len=4).to_dict()["config_keys"] == none
    graph = graphacct.account("gpt2", seq_len=4).annotated.graph
    assert graphacct.memory(graph).config_keys is graph.config_keys
    made = graphacct.Builder("made", default().operators, "float32")
    x = made.input("x", (2, 3))
    assert graphacct.account(made.graph(made.apply("relu", x))).to_dict()["config_keys"] == none


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("n_layers", "llama has no configuration key 'n_layers'; did you mean 'num_hidden_layers'?"),
        ("dim", "llama has no configuration key 'dim'; did you mean 'hidden_size'?"),
        ("rope_theta", "llama has no configuration key 'rope_theta': it changes no cost, leave it out"),
    ],
)
def test_a_setting_that_the_family_does_not_take(key: str, message: str) -> None:
    """`set` says what a key stands for, as a file does."""
    with pytest.raises(ConfigError) as caught:
        graphacct.build("llama-3-8b", set={key: 4})
    assert str(caught.value) == message


def test_a_known_class_under_an_unknown_type(tmp_path: Path) -> None:
    """The message offers the class's family, and its way out works; an own model_type replaces the file's."""
    content = {**LLAMA, "model_type": "mammoth", "architectures": ["LlamaForCausalLM"]}
    result = run("report", file(tmp_path, content))
    assert result.exit_code == 1
    assert "no architecture reads model_type 'mammoth'" in result.stderr
    assert "its class LlamaForCausalLM is of llama: --set model_type=llama reads it as that, with that" in result.stderr
    short = {key: value for key, value in content.items() if key != "vocab_size"}
    assert "for what the file does not give: vocab_size, " in run("report", file(tmp_path, short)).stderr
    file(tmp_path, content)
    for command in ("report", "memory", "params"):
        result = run(command, str(tmp_path), "--set", "model_type=llama", "--format", "json")
        assert result.exit_code == 0, result.stderr
    found = graphacct.account(str(tmp_path), seq_len=4, set={"model_type": "llama", "hidden_size": 32})
    assert found.total == graphacct.account({**LLAMA, "hidden_size": 32}, seq_len=4).total
