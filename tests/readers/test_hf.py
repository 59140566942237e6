"""config.json: older keys, folders, what costs and is not understood, and damaged files."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphacct
from graphacct import GraphacctError, memory
from graphacct.errors import ConfigError, ReadError
from graphacct.hooks.manager import default
from graphacct.readers.hf import find

FAMILIES = Path(__file__).parent.parent / "goldens" / "families"
REAL = {
    f"{path.parent.relative_to(FAMILIES)}": json.loads(path.read_text())
    for path in sorted(FAMILIES.glob("**/config.json"))
}
LLAMA = REAL["llama-3-8b"]


def save(folder: Path, content: Any) -> Path:
    """A folder of a model with this config.json."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def total(path: Path, **options: Any) -> dict[str, Any]:
    return dict(graphacct.account(path, seq_len=16, **options).total)


def test_a_file_a_folder_and_another_name(tmp_path: Path) -> None:
    """The file, its folder and a copy under another name are the same model, called after what says most."""
    folder = save(tmp_path / "my-llama", LLAMA)
    other = tmp_path / "tiny.json"
    other.write_text(json.dumps(LLAMA))
    reports = [graphacct.account(path, seq_len=16) for path in (folder, folder / "config.json", other)]
    assert [report.model for report in reports] == ["my-llama", "my-llama", "tiny"]
    assert reports[0].total == reports[1].total == reports[2].total
    assert reports[0].workload["dtype"] == "bfloat16"


def test_a_thousand_labels_before_the_type(tmp_path: Path) -> None:
    """A file under any name is looked through as far as its model_type; what Python writes as Infinity is read."""
    content = {
        "id2label": {str(i): "a label that is quite long" * 3 for i in range(3000)},
        "limit": [0.0, float("inf")],
    }
    file = tmp_path / "resnet-50.json"
    file.write_text(json.dumps({**content, **LLAMA}))
    assert file.stat().st_size > 2**17
    assert graphacct.account(file, seq_len=16).total == graphacct.account("llama-3-8b", seq_len=16).total


def test_what_is_no_file(tmp_path: Path) -> None:
    """A pipe is not waited for; a folder that has one for its config.json is told from one of no known format."""
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(ReadError, match="no known format"):
        graphacct.account(tmp_path / "pipe.json")
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(ReadError, match=r"is a folder without a config\.json that is a file"):
        graphacct.account(tmp_path)


def test_what_a_file_does_not_say_is_its_classs_default(tmp_path: Path) -> None:
    """A config with one size has the family's defaults for all others; keys in Python may name the family alone."""
    expected = dict(graphacct.account("llama", seq_len=16).total)
    assert total(save(tmp_path / "a", {"model_type": "llama", "num_hidden_layers": 32})) == expected
    assert dict(graphacct.account({"model_type": "llama"}, seq_len=16).total) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, r"no size of llama was read\n.* are the model 'llama', not this file's$"),
        ({"num_labels": 3, "dtype": "float32"}, r"no size of llama was read\n"),
        ({"wide": 64, "use_cache": True}, r"no size of llama was read; not understood: wide\n"),
    ],
)
def test_a_file_without_a_size_is_no_models(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    """Its class's default sizes would be reported as if they were the file's."""
    with pytest.raises(ReadError, match=message):
        graphacct.account(save(tmp_path / "a", {"model_type": "llama", **content}))


def test_older_spellings(tmp_path: Path) -> None:
    """torch_dtype is dtype, with or without the module's name; where a file has both keys, today's counts."""
    plain = {key: value for key, value in LLAMA.items() if key != "dtype"}
    for content in ({"torch_dtype": "float16"}, {"torch_dtype": "torch.float16"}, {"dtype": "float16"}):
        report = graphacct.account(save(tmp_path / "a", {**plain, **content}), seq_len=16)
        assert report.workload["dtype"] == "float16"
    both = {**plain, "torch_dtype": "float32", "dtype": "float16"}
    assert graphacct.account(save(tmp_path / "a", both), seq_len=16).workload["dtype"] == "float16"
    null = {**LLAMA, "rms_norm_eps": None, "num_key_value_heads": None}
    assert total(save(tmp_path / "b", null)) == total(save(tmp_path / "c", {**LLAMA, "num_key_value_heads": 32}))


def test_code_that_a_file_names_is_never_run(tmp_path: Path) -> None:
    """auto_map is a key like any other that changes no cost."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "evil.py").write_text("raise SystemExit('run')")
    content = {**LLAMA, "auto_map": {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}}
    assert total(save(tmp_path / "a", content)) == total(save(tmp_path / "b", LLAMA))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is no JSON"),
        ("[]", r"is \[\], not an object"),
        ("[" * 100_000, "is nested too deep"),
        ('{"a":' * 100_000, "is nested too deep"),
        ({}, "model_type is None: a configuration names its family there"),
        ({**LLAMA, "model_type": "lama"}, "no architecture reads model_type 'lama'; did you mean 'llama'"),
        (
            {"model_type": "LLAMA", "vocab_size": 8},
            "did you mean 'llama'\\?\nset=model_type=llama reads the file as that family's",
        ),
        ({**LLAMA, "model_type": "llama9"}, "no architecture reads model_type 'llama9'\n"),  # another family
        ({**LLAMA, "model_type": "qwen9_5"}, "no architecture reads model_type 'qwen9_5'\n"),
        ({**LLAMA, "model_type": "gemma9"}, "no architecture reads model_type 'gemma9'\n"),
        ({**LLAMA, "model_type": "zeppelin_h"}, "no architecture reads model_type 'zeppelin_h'\n"),
        ({**LLAMA, "model_type": 3}, "model_type is 3"),
        ({**LLAMA, "hidden_size": -5}, "hidden_size must be positive and below .*, not -5"),
        ({**LLAMA, "hidden_size": 10**30}, "hidden_size must be positive and below"),
        ({**LLAMA, "hidden_size": 2**40}, r"hidden_size must be below 2\*\*31"),
        (
            {**LLAMA, "rope_scaling": "yarn", "rope_parameters": None},
            "rope_scaling is an object of settings, not 'yarn'",
        ),
        ({**LLAMA, "hidden_act": "foo"}, "hidden_act cannot be 'foo'; known: .*silu"),
        ({**LLAMA, "hidden_size": "4096"}, "hidden_size must be an integer, not '4096'"),
        ({**LLAMA, "hidden_size": 4096.5}, "hidden_size must be an integer, not 4096.5"),
        ({**LLAMA, "num_hidden_layers": True}, "num_hidden_layers must be an integer, not True"),
        ({**LLAMA, "hidden_act": "siluu"}, "hidden_act cannot be 'siluu'; did you mean 'silu'"),
        ({**LLAMA, "num_key_value_heads": 7}, "num_attention_heads / num_key_value_heads: 32 is not divisible by 7"),
        ({**LLAMA, "head_dim": None, "num_attention_heads": 24}, "hidden_size / num_attention_heads: 4096 is not"),
        ({**LLAMA, "dtype": "float7"}, "unknown dtype 'float7'"),
        ({**LLAMA, "rope_parameters": 3}, "rope_parameters is an object of settings, not 3"),
        ({**LLAMA, "quantization_config": {"quant_method": "vptq"}}, "quant_method is 'vptq', which is not known"),
        ({**LLAMA, "num_local_experts": 8}, "num_local_experts is 8, which llama does not know"),
    ],
)
def test_bad_files(tmp_path: Path, content: Any, message: str) -> None:
    """Each is refused in one or two lines that name the file, the key and the value."""
    folder = save(tmp_path / "model", content)
    with pytest.raises((ReadError, ConfigError), match=message) as caught:
        graphacct.account(folder, seq_len=16)
    assert str(folder) in str(caught.value)
    assert str(caught.value).count("\n") <= 1


def test_a_file_that_is_too_long(tmp_path: Path) -> None:
    """A sparse file of 1 GB is refused by its size, before it is read."""
    folder = tmp_path / "model"
    folder.mkdir()
    with open(folder / "config.json", "wb") as file:
        file.truncate(2**30)
    with pytest.raises(ReadError, match="1,073,741,824 bytes is more than"):
        graphacct.account(folder)


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 70)
    | st.sampled_from([2**31, 2**63, 10**60, -(10**60)])
    | st.floats(allow_nan=False)
    | st.sampled_from(["", "silu", "full_attention", "linear", "float32", "a\x00b", "9" * 50])
)
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner))


@given(
    st.sampled_from(sorted(REAL)),
    st.lists(st.tuples(st.integers(0, 200), values | st.just("delete")), min_size=1, max_size=3),
)
def test_a_damaged_file_is_read_or_refused(tmp_path_factory: Any, name: str, damage: list[tuple[int, Any]]) -> None:
    """One to three values of a real file are replaced or taken away: the result is a report, or an error of one or two
    lines that names the file."""
    content = copy.deepcopy(REAL[name])
    for place, value in damage:
        keys = sorted(content)
        key = keys[place % len(keys)]
        if value == "delete":
            del content[key]
        else:
            content[key] = value
    folder = save(tmp_path_factory.getbasetemp() / "damaged", content)
    message = outcome(folder)
    assert not message or str(folder) in message
    assert message.count("\n") <= 1
    assert len(message) < 2000


def outcome(folder: Path) -> str:
    """What a user sees of a refusal; empty when there is a report."""
    try:
        assert graphacct.account(folder, seq_len=8).total["params"] > 0
    except GraphacctError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("phase", ["train", "prefill", "decode"])
def test_the_memory_of_a_file_is_that_of_its_preset(tmp_path: Path, phase: str) -> None:
    """A file describes a model that is built for the phase, dropout and loss and cache included, as a preset is."""
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2", "n_layer": 2}))
    options: dict[str, Any] = {"phase": phase, "seq_len": 16, "dtype": "bf16"}
    found = memory(tmp_path / "config.json", **options)
    preset = memory("gpt2", set={"n_layer": 2}, **options)
    assert found.workload == preset.workload
    assert (found.total, found.kv_bytes_per_token) == (preset.total, 2 * 2 * 768 * 2)


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("BertForMaskedLM", "bert"),
        ("GPT2LMHeadModel", "gpt2"),
        ("T5WithLMHeadModel", "t5"),
        ("DistilBertModel", "distilbert"),
        ("GPTNeoXForCausalLM", "gpt_neox"),
    ],
)
def test_a_file_older_than_model_type(tmp_path: Path, name: str, family: str) -> None:
    """Files of 2019 name their class alone; the family is what the class is called after."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"architectures": [name]}))
    assert find(str(file), default())[1].name == family


def test_a_class_that_only_begins_as_a_family_is_not_guessed(tmp_path: Path) -> None:
    """BertGeneration is no BERT: the file has to say its model_type."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"architectures": ["BertGenerationDecoderForCausalLM"]}))
    with pytest.raises(ReadError, match="model_type is None: a configuration names its family there"):
        find(str(file), default())


def test_a_type_of_the_repositorys_own_code(tmp_path: Path) -> None:
    """Is read by its class if that is a family's and no size is left out, and the report says so."""
    file = tmp_path / "config.json"
    own = {"auto_map": {"AutoConfig": "configuration_own.OwnConfig"}, "architectures": ["LlamaForCausalLM"]}
    file.write_text(json.dumps({**LLAMA, **own, "model_type": "own_3"}))
    report = graphacct.account(file, batch=1, seq_len=8)
    keys = report.annotated.graph.config_keys
    assert keys is not None
    assert keys.notes()[0] == "read: model_type 'own_3' as llama, by its class LlamaForCausalLM"
    assert report.to_dict()["config_keys"]["read_as"] == keys.read_as
    file.write_text(json.dumps({"vocab_size": 8, **own, "model_type": "own_3"}))
    with pytest.raises(ReadError, match="set=model_type=llama reads it as that, with that family's defaults for"):
        graphacct.account(file)


def test_an_error_in_layers_that_are_run_again(tmp_path: Path) -> None:
    """Is the one that the layer raised, with the file's name."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"model_type": "albert", "num_attention_heads": 12, "hidden_size": 100}))
    with pytest.raises(GraphacctError, match=r"config.json: .*hidden_size.* is not divisible by"):
        graphacct.account(file, seq_len=8)
