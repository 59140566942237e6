"""Every form of file with anything in one of its keys, or in several: the model, or an error in one or two lines that
names the file; and no value of another kind that is taken for the model's and not said."""

from __future__ import annotations

import copy
import json
import math
import os
import struct
from functools import cache
from pathlib import Path
from typing import Any

import formats
import pytest
from cases import check_message
from gguf_files import written
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import graphacct
from graphacct.checkpoints.safetensors import tensors

EACH = max(3, int(os.environ.get("FUZZ_CASES", 0)) // 10)
"""Cases of each form: three in `make test`."""
AGAIN = settings(
    max_examples=EACH, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
GONE = object()
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 2, 7, 2**31, 2**63, -(2**70), 10**400]),
    st.integers(-3, 99),
    st.floats(),
    st.sampled_from(["", "odd", "1", "e\n", "\x1b[31m", "a" * 500]),
    st.text(max_size=3),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


def damaged(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with another value at a place, or none."""
    found = copy.deepcopy(content)
    here = found
    for key in path[:-1]:
        here = here[key]
    if value is GONE:
        del here[path[-1]]
    else:
        here[path[-1]] = value
    return found


def refused(error: Exception) -> None:
    """Fails for an error of the program's own, and for a message that a user could not read."""
    assert "failed:" not in str(error)
    check_message("a damaged file", 0, error)


def of_another_kind(old: Any, value: Any) -> bool:
    """Whether a value can be none that the key means: of another type, negative, no number, or a word that is odd."""
    if value is GONE or value is None:
        return False  # a class has defaults
    if isinstance(old, bool) or isinstance(value, bool) or not isinstance(old, (int, float)):
        return type(value) is not type(old) or value == "odd"
    if not isinstance(value, (int, float)):
        return True
    return math.isnan(value) or (value < 0 <= old) or (isinstance(old, int) and isinstance(value, float))


@cache
def undamaged(name: str) -> tuple[Any, ...]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return formats.said(formats.write(Path(folder), formats.FILES[name]), name)


@pytest.mark.parametrize("name", formats.FILES)
def test_damaged_files(name: str, quick: Path) -> None:
    """One value of another kind is refused, named in the notes, or changes the figures; several are read or refused."""
    file, content = next(iter(formats.FILES[name].items()))
    places = list(formats.places(content))
    model = formats.write(quick, formats.FILES[name])

    @AGAIN
    @given(st.data())
    def read(data: st.DataObject) -> None:
        count = data.draw(st.integers(1, 3))
        found, path, value = content, places[0], None
        for _ in range(count):
            left = list(formats.places(found)) or places
            path, value = data.draw(st.sampled_from(left)), data.draw(st.just(GONE) | VALUES)
            found = damaged(found, path, value)
            if not isinstance(found, (dict, list)) or not found:
                break
        (quick / file).write_text(json.dumps(found))
        try:
            said = formats.said(model, name)
        except graphacct.GraphacctError as error:
            refused(error)
            return
        if count == 1 and said == undamaged(name) and not formats.idle(name, path):
            old: Any = content
            for key in path:
                old = old[key]
            assert not of_another_kind(old, value), f"{path} may be {value!r} instead of {old!r}, and nothing says so"

    read()


def _layer(index: int, experts: int) -> dict[str, Any]:
    at = f"blk.{index}."
    found: dict[str, Any] = {f"{at}{part}_norm.weight": ([32], "f32") for part in ("attn", "ffn")}
    found |= {f"{at}attn_{part}.weight": ([32, 32], "q4_0") for part in ("q", "output")}
    found |= {f"{at}attn_{part}.weight": ([32, 16], "q4_0") for part in ("k", "v")}
    if not experts:
        return found | {f"{at}ffn_{part}.weight": ([32, 32], "q8_0") for part in ("gate", "up", "down")}
    found[f"{at}ffn_gate_inp.weight"] = ([32, experts], "f32")
    return found | {f"{at}ffn_{part}_exps.weight": ([32, 32, experts], "q8_0") for part in ("gate", "up", "down")}


def _gguf(experts: int) -> tuple[dict[str, Any], dict[str, Any]]:
    metadata = {
        "general.architecture": "llama",
        "general.alignment": 32,
        "general.file_type": 2,
        "llama.block_count": 2,
        "llama.embedding_length": 32,
        "llama.feed_forward_length": 32,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
        "llama.context_length": 64,
        "llama.rope.dimension_count": 8,
        "llama.vocab_size": 8,
    }
    if experts:
        metadata |= {"llama.expert_count": experts, "llama.expert_used_count": 1}
    ends = {f"{name}.weight": ([32, 8], "q8_0") for name in ("token_embd", "output")}
    layers = {name: item for index in range(2) for name, item in _layer(index, experts).items()}
    return metadata, {**ends, "output_norm.weight": ([32], "f32"), **layers}


GGUF_VALUES = st.one_of(
    st.booleans(),
    st.integers(-(2**31), 2**32 - 1),
    st.sampled_from([0, 1, 2, 3, 4, 8, 16, 32, 64]),
    st.floats(width=32),
    st.text(max_size=4),
    st.lists(st.integers(0, 99), max_size=3),
    st.lists(st.text(max_size=2), max_size=2),
)


@pytest.mark.parametrize("experts", [0, 4])
def test_damaged_gguf(experts: int, quick: Path) -> None:
    """A key of a GGUF file, or a tensor: the same of both."""
    metadata, table = _gguf(experts)
    file = quick / "model.gguf"

    def said() -> Any:
        report = graphacct.account(file, batch=1, seq_len=4)
        graph = report.annotated.graph
        return {name: str(value) for name, value in report.total.items()}, graph.config_keys.notes()

    file.write_bytes(written(metadata, table))
    before = said()

    @AGAIN
    @given(st.data())
    def read(data: st.DataObject) -> None:
        keys, items = dict(metadata), dict(table)
        name, old, value = "", None, None
        if data.draw(st.integers(0, 3)):
            name = data.draw(st.sampled_from(list(keys)))
            old, value = keys[name], data.draw(st.just(GONE) | GGUF_VALUES)
            if value is GONE:
                del keys[name]
            else:
                keys[name] = value
        else:
            tensor = data.draw(st.sampled_from(list(items)))
            if data.draw(st.booleans()):
                sizes = data.draw(st.lists(st.sampled_from([0, 1, 2, 8, 16, 32, 64, 2**33]), min_size=1, max_size=4))
                items[tensor] = (sizes, data.draw(st.sampled_from(["f32", "q4_0", "q8_0", "q6_k", "bf16"])))
            else:
                del items[tensor]
        try:
            file.write_bytes(written(keys, items))
        except (struct.error, UnicodeEncodeError):  # no value of the format
            return
        try:
            after = said()
        except graphacct.GraphacctError as error:
            refused(error)
            return
        alike = isinstance(value, list) and value and all(type(each) is type(old) for each in value)
        if name and after == before and not alike:  # a list with one for each layer
            assert not of_another_kind(old, value), f"{name} may be {value!r} instead of {old!r}, and nothing says so"

    read()


@pytest.mark.parametrize("experts", [0, 4])
def test_damaged_bytes_of_gguf(experts: int, quick: Path) -> None:
    """Bytes that are changed, left out or added anywhere in a header."""
    whole = written(*_gguf(experts))
    file = quick / "model.gguf"

    @AGAIN
    @given(st.data())
    def read(data: st.DataObject) -> None:
        at = data.draw(st.integers(0, len(whole)))
        file.write_bytes(whole[:at] + data.draw(st.binary(max_size=9)) + whole[at + data.draw(st.integers(0, 9)) :])
        try:
            graphacct.account(file, batch=1, seq_len=2)
        except graphacct.GraphacctError as error:
            refused(error)

    read()


HEADER: dict[str, Any] = {
    "__metadata__": {"format": "pt"},
    "a": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]},
    "b": {"dtype": "F32", "shape": [], "data_offsets": [12, 16]},
    "c": {"dtype": "F4", "shape": [4], "data_offsets": [16, 18]},
    "d": {"dtype": "I64", "shape": [0, 5], "data_offsets": [18, 18]},
}
SHARDS = {"metadata": {"total_size": 18}, "weight_map": dict.fromkeys("abcd", "model-1.safetensors")}


@pytest.mark.parametrize("content", [HEADER, SHARDS], ids=["header", "index"])
def test_damaged_checkpoints(content: dict[str, Any], quick: Path) -> None:
    """A safetensors header, or the index of several files, that says anything: the same tensors or an error."""
    file, index = quick / "model-1.safetensors", quick / "model.safetensors.index.json"

    def save(header: Any, shards: Any) -> None:
        text = json.dumps(header).encode()
        file.write_bytes(len(text).to_bytes(8, "little") + text + bytes(18))
        index.write_text(json.dumps(shards))

    save(HEADER, SHARDS)
    before = tensors(index)
    places = list(formats.places(content))

    @AGAIN
    @given(st.data())
    def read(data: st.DataObject) -> None:
        path = data.draw(st.sampled_from(places))
        value = data.draw(st.just(GONE) | VALUES)
        found = damaged(content, path, value)
        save(*((found, SHARDS) if content is HEADER else (HEADER, found)))
        try:
            after = tensors(index)
        except graphacct.GraphacctError as error:
            refused(error)
            return
        if after == before and "metadata" not in str(path[0]):
            old: Any = content
            for key in path:
                old = old[key]
            assert value is not None
            assert not of_another_kind(old, value), f"{path} may be {value!r} instead of {old!r}, and nothing says so"

    read()
