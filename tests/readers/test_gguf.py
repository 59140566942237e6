"""Headers of GGUF files: what is read of one, files in parts, and one clear error for everything else."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from gguf_files import save, text, written

import graphacct
from graphacct import ReadError
from graphacct.readers.ggml_types import GGML_TYPES
from graphacct.readers.gguf import ArrayLength, header

METADATA: dict[str, Any] = {
    "general.architecture": "llama",
    "general.file_type": 15,
    "llama.block_count": 2,
    "llama.embedding_length": 64,
    "llama.feed_forward_length": 128,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "llama.context_length": 256,
    "tokenizer.ggml.tokens": ["a", "b"],
}
LAYER = {
    "attn_norm": ([64], "f32"),
    "attn_q": ([64, 64], "q8_0"),
    "attn_k": ([64, 32], "q8_0"),
    "attn_v": ([64, 32], "q4_0"),
    "attn_output": ([64, 64], "q4_0"),
    "ffn_norm": ([64], "f32"),
    "ffn_gate": ([64, 128], "q4_0"),
    "ffn_up": ([64, 128], "q4_0"),
    "ffn_down": ([128, 64], "mxfp4"),
}
TENSORS: dict[str, Any] = {
    "token_embd.weight": ([64, 100], "q8_0"),
    **{f"blk.{layer}.{name}.weight": item for layer in range(2) for name, item in LAYER.items()},
    "output_norm.weight": ([64], "f32"),
}
LAYER_BYTES = 2 * 64 * 4 + (64 + 32) * 2 * 34 + (32 + 64 + 128 + 128) * 2 * 18 + 64 * 4 * 17
BYTES = 100 * 2 * 34 + 2 * LAYER_BYTES + 64 * 4


def test_a_model(tmp_path: Path) -> None:
    """Every tensor's bytes are the file's; a head that it does not have is tied; alike layers stay one block."""
    report = graphacct.account(save(tmp_path / "tiny.gguf", METADATA, TENSORS), batch=1, seq_len=8)
    assert report.model == "tiny"
    assert report.total["param_bytes"] == BYTES
    workload = report.annotated.graph.workload
    assert workload["weights"] == "gguf:q4_k_m"
    assert any("*" in parameter.name for node in report.annotated.graph.walk() for parameter in node.parameters)


def test_layers_that_differ(tmp_path: Path) -> None:
    """Are written out, each with its own bytes."""
    tensors = {**TENSORS, "blk.1.attn_v.weight": ([64, 32], "q8_0")}
    report = graphacct.account(save(tmp_path / "tiny.gguf", METADATA, tensors), batch=1, seq_len=8)
    assert report.total["param_bytes"] == BYTES + 32 * 2 * (34 - 18)


def test_memory_and_another_format(tmp_path: Path) -> None:
    """`weights` of the user's own goes before the file's."""
    file = save(tmp_path / "tiny.gguf", METADATA, TENSORS)
    assert graphacct.memory(file, batch=1, seq_len=8, phase="forward").parameters == BYTES
    report = graphacct.account(file, batch=1, seq_len=8, weights="bf16")
    assert report.total["param_bytes"] == 2 * report.total["params"]


def test_a_file_in_parts(tmp_path: Path) -> None:
    """Any part stands for the whole; a missing one is named."""
    names = list(TENSORS)
    split = {"split.count": 2, "split.tensors.count": len(names)}
    first, second = tmp_path / "big-00001-of-00002.gguf", tmp_path / "big-00002-of-00002.gguf"
    save(first, {**METADATA, **split, "split.no": 0}, {name: TENSORS[name] for name in names[:5]})
    save(second, {**split, "split.no": 1}, {name: TENSORS[name] for name in names[5:]})
    for model in (first, second, tmp_path):
        report = graphacct.account(model, batch=1, seq_len=8)
        assert report.model == "big"
        assert report.total["param_bytes"] == BYTES
    second.unlink()
    with pytest.raises(ReadError, match=r"is one of 2 parts, and big-00002-of-00002.gguf is not beside it"):
        graphacct.account(first)
    first.rename(tmp_path / "a.gguf")
    with pytest.raises(ReadError, match=r"is one of 2 parts, which are named NAME-00001-of-00002.gguf"):
        graphacct.account(tmp_path / "a.gguf")


@pytest.mark.parametrize("kind", ["adapter", "mmproj", "imatrix", "vocab"])
def test_what_is_no_model(tmp_path: Path, kind: str) -> None:
    """By its general.type."""
    file = save(tmp_path / "a.gguf", {**METADATA, "general.type": kind}, {})
    with pytest.raises(ReadError, match=r"a.gguf: is (an adapter|the image|an importance|a vocabulary)"):
        graphacct.account(file)


def test_tensors_and_parameters_that_do_not_fit(tmp_path: Path) -> None:
    """Named, with the way out."""
    file = tmp_path / "a.gguf"
    for tensors, message in (
        ({**TENSORS, "blk.0.attn_z.weight": ([64], "f32")}, "tensor 'blk.0.attn_z.weight' is no parameter of the"),
        (
            {name: item for name, item in TENSORS.items() if name != "blk.1.ffn_up.weight"},
            "parameter 'model.layers.1.mlp.up_proj.weight' is not among its 19 tensors",
        ),
        ({**TENSORS, "output_norm.weight": ([32], "f32")}, "'model.norm.weight' has 64 elements, and its tensors 32"),
    ):
        save(file, METADATA, tensors)
        with pytest.raises(graphacct.ConfigError, match=message) as caught:
            graphacct.account(file, batch=1, seq_len=8)
        assert "weights=FORMAT counts them in another format" in str(caught.value)


def test_the_header(tmp_path: Path) -> None:
    """Values, lengths of long arrays and texts, block types, and how much of the data is there."""
    metadata = {"a": 1, "b": True, "c": "x", "d": [1, 2], "e": ["x", "yz"], "f": -3, "g": 0.5, "h": list(range(5000))}
    file = save(tmp_path / "a.gguf", metadata, {"t": ([256, 2], "q4_k")})
    found = header(file)
    assert dict(found.metadata) == {**metadata, "e": ArrayLength(2), "h": ArrayLength(5000)}
    assert (found.tensors["t"].bytes, found.tensors["t"].elements) == (288, 512)
    assert (found.data_bytes, found.missing) == (288, 288)
    with open(file, "ab") as stream:
        stream.write(bytes(-file.stat().st_size % 32 + 288))
    assert header(file).missing == 0


def test_block_types() -> None:
    """Some of gguf-py's GGML_QUANT_SIZES: a type's number, elements and bytes."""
    for number, name, block, size in (
        (2, "q4_0", 32, 18),
        (14, "q6_k", 256, 210),
        (29, "iq1_m", 256, 56),
        (30, "bf16", 1, 2),
        (34, "tq1_0", 256, 54),
        (39, "mxfp4", 32, 17),
        (40, "nvfp4", 64, 36),
    ):
        found = GGML_TYPES[number]
        assert (found.name, found.block, found.bytes) == (name, block, size)


def _start(version: int = 3, tensors: int = 0, keys: int = 0) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys)


TENSOR = text("t") + struct.pack("<IQ", 1, 32)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it begins with b'', not with b'GGUF'"),
        (b"GGML" + bytes(40), "it begins with b'GGML'"),
        (b"GGUF\x03", "it ends at byte 5, within its version"),
        (_start(1), "it has version 1, and versions 2 and 3 are read\nconvert"),
        (_start(99), "it has version 99"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "it is big-endian"),
        (_start(3, 2**60), "it says that it has 1,152,921,504,606,846,976 tensors, and 8 bytes follow"),
        (_start(3, 0, 2**63), "it says that it has 9,223,372,036,854,775,808 keys"),
        (_start(3, 0, 1) + struct.pack("<Q", 2**62) + bytes(40), "bytes in a key, and 40 bytes follow"),
        (_start(3, 0, 1) + struct.pack("<Q", 2) + b"\xff\xfe" + bytes(40), "a key at byte 32 is no UTF-8 text"),
        (_start(3, 0, 1) + text("a\nb") + bytes(40), r"a key is 'a\\nb'"),
        (_start(3, 0, 1) + text("a") + struct.pack("<I", 77) + bytes(40), "a value of type 77"),
        (_start(3, 0, 1) + text("a") + struct.pack("<IIQ", 9, 9, 1) + bytes(40), "the array 'a' is of type 9"),
        (_start(3, 0, 1) + text("a") + struct.pack("<IIQ", 9, 4, 2**61), "values of 'a', and 0 bytes follow"),
        (_start(3, 0, 1) + text("a") + struct.pack("<IIQQ", 9, 8, 1, 2**63), "it ends within the values of 'a'"),
        (_start(3, 0, 2) + (text("a") + struct.pack("<IB", 7, 1)) * 2, "it has the key 'a' twice"),
        (_start(3, 0, 1) + text("general.alignment") + struct.pack("<II", 4, 24), "is 24, not a power of two"),
        (_start(3, 1) + text("t") + struct.pack("<I", 9) + bytes(40), "tensor 't' has 9 dimensions"),
        (_start(3, 1) + text("t") + struct.pack("<IQIQ", 1, 0, 0, 0), "tensor 't' has the sizes 0"),
        (_start(3, 1) + text("t") + struct.pack("<IQQIQ", 2, 2**40, 2**40, 0, 0), "has the sizes 1099511627776 × "),
        (_start(3, 1) + TENSOR + struct.pack("<IQ", 31, 0), "is of ggml's type 31, which is not known"),
        (_start(3, 1) + TENSOR + struct.pack("<IQ", 12, 0), "rows of 32, no whole number of q4_k's 256"),
        (_start(3, 1) + TENSOR + struct.pack("<IQ", 0, 64), "begins at 64 of the data, not at 0"),
        (_start(3, 2) + (TENSOR + struct.pack("<IQ", 2, 0)) + TENSOR + struct.pack("<IQ", 2, 32), "'t' twice"),
    ],
)
def test_a_hostile_header(tmp_path: Path, data: bytes, message: str) -> None:
    """What is wrong and where, in one or two lines."""
    file = tmp_path / "a.gguf"
    file.write_bytes(data)
    with pytest.raises(ReadError, match=rf"a.gguf: is no GGUF file that can be read: .*{message}") as caught:
        graphacct.account(file)
    assert str(caught.value).count("\n") < 2


def test_version_2_is_read(tmp_path: Path) -> None:
    """It differs from 3 in nothing that little-endian files show."""
    file = tmp_path / "a.gguf"
    file.write_bytes(written(METADATA, TENSORS, version=2))
    assert graphacct.account(file, batch=1, seq_len=8).total["param_bytes"] == BYTES


def test_an_architecture_without_a_name(tmp_path: Path) -> None:
    """Nothing says what it is."""
    with pytest.raises(ReadError, match=r"general.architecture is None, not the name of an architecture"):
        graphacct.account(save(tmp_path / "a.gguf", {}, {}))


def test_several_in_a_folder(tmp_path: Path) -> None:
    """Which one is the user's to say."""
    for name in ("b.gguf", "a.gguf"):
        save(tmp_path / name, METADATA, TENSORS)
    with pytest.raises(ReadError, match=r"has several GGUF files: give one of them, as 'a.gguf'"):
        graphacct.account(tmp_path)


def test_a_checkpoint_is_no_model(tmp_path: Path) -> None:
    """It has no sizes."""
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"")
    with pytest.raises(ReadError, match=r"is a checkpoint: .* give the config.json of its folder"):
        graphacct.account(file)
