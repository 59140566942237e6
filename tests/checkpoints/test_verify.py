"""A model against a checkpoint's header: names, shapes, ties, shards, and what is no checkpoint."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from safetensors_files import save

import graphacct
from graphacct.checkpoints.safetensors import tensors
from graphacct.checkpoints.verify import verify
from graphacct.errors import ReadError
from graphacct.render.checkpoint import expanded

SIZES = {"vocab_size": 16, "hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 2, "num_attention_heads": 2}


def model(tied: bool = False) -> graphacct.Report:
    sizes = {**SIZES, "num_key_value_heads": 1, "tie_word_embeddings": tied}
    return expanded(graphacct.account("llama", seq_len=4, set=sizes))


def header(report: graphacct.Report) -> dict[str, Any]:
    """The entries of a checkpoint of this model, as its file would have them."""
    return {
        row.parameter.name: {"dtype": "BF16", "shape": list(row.parameter.spec.shape), "data_offsets": [0, 0]}
        for row in report.by_parameter
        if not row.parameter.tied_to
    }


def raw(path: Path, content: Any, data: bytes = b"") -> Path:
    """A file with anything as its header, and its data."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def test_a_checkpoint_of_the_model(tmp_path: Path) -> None:
    """Equal names and shapes; a tied head may be there or not, metadata is no tensor, a dtype is no other model."""
    for tied in (False, True):
        report = model(tied)
        entries = header(report)
        assert ("lm_head.weight" in entries) != tied
        file = save(tmp_path / "model.safetensors", {"__metadata__": {"format": "pt"}, **entries})
        found = verify(report, tensors(file))
        assert (found.equal, found.differences, found.tensors) == (True, (), len(entries))
        assert found.params == report.total["params"]
        entries["lm_head.weight"] = {"dtype": "BF16", "shape": [16, 8]}
        assert verify(report, tensors(save(file, entries))).equal
        entries["model.norm.weight"]["dtype"] = "F32"
        found = verify(report, tensors(save(file, entries)))
        assert found.equal
        assert [(item.name, item.kind) for item in found.differences] == [("model.norm.weight", "dtype")]


def test_differences_are_named(tmp_path: Path) -> None:
    """A tensor that the checkpoint lacks, one that the model lacks, one of another shape."""
    report = model()
    entries = header(report)
    del entries["model.norm.weight"]
    entries["model.layers.1.mlp.up_proj.weight"]["shape"] = [8, 12]
    entries["extra"] = {"dtype": "I64", "shape": [3]}
    found = verify(report, tensors(save(tmp_path / "a.safetensors", entries)))
    assert not found.equal
    assert [(item.name, item.kind, item.model, item.checkpoint) for item in found.differences] == [
        ("model.layers.1.mlp.up_proj.weight", "shape", "bfloat16[12, 8]", "bfloat16[8, 12]"),
        ("model.norm.weight", "missing", "bfloat16[8]", ""),
        ("extra", "unknown", "", "int64[3]"),
    ]


def test_a_sharded_checkpoint(tmp_path: Path) -> None:
    """The index says which file has which tensor; a folder is read by its index; a missing shard is named."""
    report = model()
    entries = header(report)
    names = list(entries)
    halves = {"a.safetensors": names[:5], "b.safetensors": names[5:]}
    for shard, inside in halves.items():
        save(tmp_path / shard, {name: entries[name] for name in inside})
    index = {"weight_map": {name: shard for shard, inside in halves.items() for name in inside}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert verify(report, tensors(tmp_path)).equal
    (tmp_path / "b.safetensors").unlink()
    with pytest.raises(ReadError, match=r"b\.safetensors: cannot be read: No such file"):
        tensors(tmp_path / "model.safetensors.index.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is no safetensors file: its header is no JSON"),
        ([], "is no safetensors file: its header is"),
        ({"w": 3}, "tensor 'w' is 3, not a dtype and a shape"),
        ({"w": {"dtype": "F32", "shape": [-1]}}, "tensor 'w' is"),
        ({"w": {"dtype": "Q4", "shape": [1]}}, "tensor 'w' has the dtype 'Q4'"),
        ({"w": {"dtype": ["F32"], "shape": [1]}}, "tensor 'w' is"),
        ({"w": {"dtype": "F32", "shape": [10**400]}}, "tensor 'w' is"),
        (b"[" * 100_000, "is no safetensors file"),
    ],
)
def test_what_is_no_checkpoint(tmp_path: Path, content: Any, message: str) -> None:
    """Each is one line that names the file."""
    file = raw(tmp_path / "bad.safetensors", content)
    with pytest.raises(ReadError, match=message) as caught:
        tensors(file)
    assert str(caught.value).startswith(str(file))
    assert "\n" not in str(caught.value)


TWO = {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "b": {"dtype": "U8", "shape": [3]}}
"""Two tensors of 8 and 3 bytes, the second without its place."""


@pytest.mark.parametrize(
    ("place", "size", "message"),
    [
        ([8, 11], 10, "is cut off: its tensors have 11 bytes, and 10 follow the header"),
        ([8, 11], 12, "has data that are no tensor's: its tensors have 11 bytes, and 12 follow the header"),
        ([4, 7], 11, "tensor 'b' begins at 4 and not at 8: it overlaps the tensor before it"),
        ([9, 12], 12, "tensor 'b' begins at 9 and not at 8: it leaves bytes before it that are no tensor's"),
        ([8, 12], 12, "tensor 'b' has 4 bytes by its data_offsets and 3 by its shape and dtype"),
        ([8, 7], 11, "tensor 'b' has -1 bytes by its data_offsets and 3 by its shape and dtype"),
        (None, 11, "tensor 'b' has the data_offsets None, not a begin and an end"),
        ([8], 11, r"tensor 'b' has the data_offsets \[8\]"),
        ([-1, 2], 11, r"tensor 'b' has the data_offsets \[-1, 2\]"),
        (["8", 11], 11, "tensor 'b' has the data_offsets"),
    ],
)
def test_places_that_lie(tmp_path: Path, place: Any, size: int, message: str) -> None:
    """The format's own reader refuses the same files: tensors lie one behind the other and fill the file."""
    content = {"a": TWO["a"], "b": {**TWO["b"], "data_offsets": place}}
    with pytest.raises(ReadError, match=message):
        tensors(raw(tmp_path / "bad.safetensors", content, bytes(size)))


def test_a_file_that_is_whole(tmp_path: Path) -> None:
    """Whatever the order in the header; an empty tensor has a place, and four bits are half a byte."""
    content = {
        "c": {"dtype": "F4", "shape": [4], "data_offsets": [11, 13]},
        "b": {**TWO["b"], "data_offsets": [8, 11]},
        "a": TWO["a"],
        "none": {"dtype": "I64", "shape": [0, 5], "data_offsets": [8, 8]},
    }
    found = tensors(raw(tmp_path / "good.safetensors", content, bytes(13)))
    assert {name: str(spec) for name, spec in found.items()} == {
        "a": "float32[2]",
        "b": "uint8[3]",
        "c": "float4_e2m1fn[4]",
        "none": "int64[0, 5]",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{}}', "its header has 'a' twice"),
        (b'{"a":{"dtype":"U8","dtype":"I8","shape":[0],"data_offsets":[0,0]}}', "its header has 'dtype' twice"),
        (b'{"__metadata__":{"format":1}}', r"its __metadata__ is \{'format': 1\}, not a mapping of texts"),
        (b'{"__metadata__":[]}', r"its __metadata__ is \[\]"),
    ],
)
def test_a_header_that_says_two_things(tmp_path: Path, text: bytes, message: str) -> None:
    """JSON parsers disagree about which of two equal keys counts, so that the format allows none."""
    with pytest.raises(ReadError, match=message):
        tensors(raw(tmp_path / "bad.safetensors", text))


def test_files_that_lie_about_their_length(tmp_path: Path) -> None:
    """A header longer than the file, an empty file, a folder without a checkpoint, an index without its map."""
    file = tmp_path / "bad.safetensors"
    for content in (b"", b"\xff" * 8, (10**6).to_bytes(8, "little") + b"{}"):
        file.write_bytes(content)
        with pytest.raises(ReadError, match="is no safetensors file"):
            tensors(file)
    file.unlink()
    with pytest.raises(ReadError, match=r"has neither model\.safetensors\.index\.json nor model\.safetensors"):
        tensors(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text("[]")
    with pytest.raises(ReadError, match="has no weight_map"):
        tensors(tmp_path)


@pytest.mark.parametrize("name", ["../out.safetensors", "/out.safetensors", "a\0b", "a\ud800", "a\nb", "", "a" * 5000])
def test_a_shard_outside_the_index_is_refused(tmp_path: Path, name: str) -> None:
    """In one line, which names the index."""
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": name}}))
    with pytest.raises(ReadError) as caught:
        tensors(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_shard_in_a_folder_below(tmp_path: Path) -> None:
    """Names in an index go down into folders; an index of nothing is none."""
    (tmp_path / "parts").mkdir()
    save(tmp_path / "parts" / "a.safetensors", {"w": {"dtype": "U16", "shape": [3]}})
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": "parts/a.safetensors"}}))
    assert tensors(tmp_path) == {"w": graphacct.TensorSpec((3,), "uint16")}
    index.write_text(json.dumps({"weight_map": {}}))
    with pytest.raises(ReadError, match="it has no weight_map"):
        tensors(tmp_path)


def test_a_pipe_is_no_checkpoint(tmp_path: Path) -> None:
    """Nobody waits for it to be written."""
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(ReadError, match="is no file"):
        tensors(tmp_path / "pipe.safetensors")
    os.mkfifo(tmp_path / "model.index.json")
    with pytest.raises(ReadError, match="is no file"):
        tensors(tmp_path / "model.index.json")


def test_a_header_begins_with_a_brace(tmp_path: Path) -> None:
    """As the format says: blanks may follow it, and none stand before it."""
    with pytest.raises(ReadError, match=r"its header begins with b' \{\}', not with a brace"):
        tensors(raw(tmp_path / "bad.safetensors", b" {}"))
    assert tensors(raw(tmp_path / "good.safetensors", b"{}  ")) == {}


def test_three_elements_of_four_bits_are_no_whole_number_of_bytes(tmp_path: Path) -> None:
    """3 · 4 = 12 bits."""
    content = {"a": {"dtype": "F4", "shape": [3], "data_offsets": [0, 2]}}
    with pytest.raises(
        ReadError, match="has 2 bytes by its data_offsets and 12 bits, no whole number of bytes, by its"
    ):
        tensors(raw(tmp_path / "bad.safetensors", content, bytes(2)))


def test_an_index_names_a_tensor_once(tmp_path: Path) -> None:
    """The last of two files would win without a word."""
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"a": "x.safetensors", "a": "y.safetensors"}}')
    with pytest.raises(ReadError, match=r"index\.json: has 'a' twice"):
        tensors(index)
