"""The header of a GGUF file: its metadata, and the names, shapes and block types of its tensors, without its data.

The format is that of ggml (docs/gguf.md of ggml-org/ggml): four bytes of magic, a version, two counts, the metadata as
keys and typed values, and the tensors with their places in the data that follow. Everything is little-endian here. A
count or length that the file's size cannot hold is refused before anything is made of it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from math import prod
from typing import Any, NoReturn

import attrs

from graphacct.errors import ReadError, brief
from graphacct.readers.ggml_types import GGML_TYPES, GgmlType

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MOST_BYTES = 512 * 2**20
"""The longest header that is read: vocabularies take some tens of MB."""
MOST_KEPT = 4096
"""The longest array of numbers whose values are kept, such as one for each layer; of others the length is."""
LONGEST_NAME = 65535
ALIGNMENT = "general.alignment"
STRING, ARRAY, BOOL = 8, 9, 7
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", BOOL: "B", 10: "Q", 11: "q", 12: "d"}
LEAST_KEY, LEAST_TENSOR = 13, 24
"""The fewest bytes of a key with its value, and of a tensor."""
CONVERT = "convert the model again with llama.cpp's convert_hf_to_gguf.py"


@attrs.frozen
class GgufTensor:
    """One tensor: its sizes, the innermost first (a matrix has its inputs, then its outputs), and its block type."""

    name: str
    sizes: tuple[int, ...]
    type: GgmlType

    @property
    def elements(self) -> int:
        """Its elements."""
        return prod(self.sizes)

    @property
    def bytes(self) -> int:
        """Its bytes: whole blocks along each row."""
        return self.elements // self.type.block * self.type.bytes


@attrs.frozen
class GgufHeader:
    """What a header says. `metadata` has scalars, texts and short arrays of numbers as they are; of a longer array, or
    one of texts, an `ArrayLength`. `data_bytes` is the length of the data, and `missing` what the file lacks of it."""

    metadata: Mapping[str, Any]
    tensors: Mapping[str, GgufTensor]
    data_bytes: int
    missing: int


@attrs.frozen
class ArrayLength:
    """How long an array is whose values are not kept."""

    length: int


def header(path: str | os.PathLike[str]) -> GgufHeader:
    """Returns the header of a GGUF file. Raises ReadError, which names the file and the place, for one that is not
    GGUF, is cut off in its header, or contradicts itself."""
    try:
        size = os.path.getsize(path)
        with open(path, "rb") as file:
            data = file.read(min(size, MOST_BYTES))
    except OSError as error:
        raise ReadError(f"{path}: cannot be read: {error.strerror or error}") from error
    try:
        return _Bytes(data, size).header()
    except ReadError as error:
        raise ReadError(f"{path}: {error}") from error


class _Bytes:
    """A place in the bytes of a header."""

    def __init__(self, data: bytes, size: int) -> None:
        self.data, self.size, self.at = data, size, 0

    def fail(self, what: str) -> NoReturn:
        raise ReadError(f"is no GGUF file that can be read: {what}")

    def number(self, code: str, what: str) -> Any:
        """Returns one number of a struct code; `what` it is, for messages."""
        start, self.at = self.at, self.at + struct.calcsize(code)
        if self.at > len(self.data):
            self.fail(f"it ends at byte {len(self.data):,}, within {what}")
        return struct.unpack_from(f"<{code}", self.data, start)[0]

    def count(self, what: str, least: int) -> int:
        """Returns a number of things of at least so many bytes each. Raises ReadError if they cannot be in the file."""
        count: int = self.number("Q", f"the number of {what}")
        if count * least > len(self.data) - self.at:
            self.fail(f"it says that it has {count:,} {what}, and {len(self.data) - self.at:,} bytes follow")
        return count

    def text(self, what: str) -> str:
        """Returns a text."""
        length = self.count(f"bytes in {what}", 1)
        start, self.at = self.at, self.at + length
        try:
            return self.data[start : self.at].decode()
        except UnicodeDecodeError:
            self.fail(f"{what} at byte {start:,} is no UTF-8 text")

    def name(self, what: str) -> str:
        name = self.text(what)
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            self.fail(f"{what} is {brief(name)}")
        return name

    def value(self, key: str, kind: int) -> Any:
        """Returns a value of the metadata."""
        if kind == STRING:
            return self.text(f"the value of {brief(key)}")
        if kind == ARRAY:
            return self.array(key)
        if kind not in SCALARS:
            self.fail(f"{brief(key)} has a value of type {kind}, which GGUF does not have")
        value = self.number(SCALARS[kind], f"the value of {brief(key)}")
        return bool(value) if kind == BOOL else value

    def array(self, key: str) -> Any:
        """Returns an array of the metadata: its values, or its length alone."""
        kind = self.number("I", f"the array {brief(key)}")
        what = f"values of {brief(key)}"
        if kind == STRING:
            return self.skip_texts(self.count(what, 8), what)
        if kind not in SCALARS:
            self.fail(f"the array {brief(key)} is of type {kind}, and those are numbers or texts")
        width = struct.calcsize(SCALARS[kind])
        length = self.count(what, width)
        start, self.at = self.at, self.at + length * width
        if length > MOST_KEPT:
            return ArrayLength(length)
        values = struct.unpack_from(f"<{length}{SCALARS[kind]}", self.data, start)
        return [bool(value) for value in values] if kind == BOOL else list(values)

    def skip_texts(self, count: int, what: str) -> ArrayLength:
        """Passes over so many texts: vocabularies have some hundred thousand, so that no call is made for each."""
        unpack, at, end = struct.Struct("<Q").unpack_from, self.at, len(self.data) - 8
        for _ in range(count):
            if at > end:
                self.fail(f"it ends within the {what}")
            at += 8 + unpack(self.data, at)[0]
        if at > end + 8:
            self.fail(f"it ends within the {what}")
        self.at = at
        return ArrayLength(count)

    def header(self) -> GgufHeader:
        if self.data[:4] != MAGIC:
            self.fail(f"it begins with {brief(self.data[:4])}, not with {MAGIC!r}")
        self.at = 4
        version = self.number("I", "its version")
        if version not in VERSIONS:
            if int.from_bytes(version.to_bytes(4, "little"), "big") in VERSIONS:
                self.fail(f"it is big-endian, and only little-endian files are read\n{CONVERT}")
            self.fail(f"it has version {version:,}, and versions 2 and 3 are read\n{CONVERT}")
        tensor_count, key_count = self.count("tensors", LEAST_TENSOR), self.count("keys", LEAST_KEY)
        metadata: dict[str, Any] = {}
        for _ in range(key_count):
            key = self.name("a key")
            if key in metadata:
                self.fail(f"it has the key {brief(key)} twice")
            metadata[key] = self.value(key, self.number("I", f"the type of {brief(key)}"))
        alignment = metadata.get(ALIGNMENT, 32)
        if type(alignment) is not int or alignment < 1 or alignment & (alignment - 1):
            self.fail(f"{ALIGNMENT} is {brief(alignment)}, not a power of two")
        tensors: dict[str, GgufTensor] = {}
        end = 0
        for _ in range(tensor_count):
            tensor, offset = self.tensor()
            if tensor.name in tensors:
                self.fail(f"it has the tensor {brief(tensor.name)} twice")
            if offset != -(-end // alignment) * alignment:
                expected = -(-end // alignment) * alignment
                self.fail(f"tensor {brief(tensor.name)} begins at {offset:,} of the data, not at {expected:,}")
            tensors[tensor.name] = tensor
            end = offset + tensor.bytes
        start = -(-self.at // alignment) * alignment
        return GgufHeader(metadata, tensors, end, min(end, max(0, start + end - self.size)))

    def tensor(self) -> tuple[GgufTensor, int]:
        """Returns a tensor, and where it begins in the data."""
        name = self.name("a tensor's name")
        dimensions = self.number("I", f"tensor {brief(name)}")
        if not 1 <= dimensions <= 4:
            self.fail(f"tensor {brief(name)} has {dimensions:,} dimensions, and tensors have 1 to 4")
        sizes = tuple(self.number("Q", f"tensor {brief(name)}") for _ in range(dimensions))
        kind = self.number("I", f"tensor {brief(name)}")
        offset = self.number("Q", f"tensor {brief(name)}")
        if not all(sizes) or prod(sizes) >= 2**63:
            self.fail(f"tensor {brief(name)} has the sizes {' × '.join(map(str, sizes))}")
        if kind not in GGML_TYPES:
            self.fail(f"tensor {brief(name)} is of ggml's type {kind}, which is not known")
        found = GGML_TYPES[kind]
        if sizes[0] % found.block:
            self.fail(f"tensor {brief(name)} has rows of {sizes[0]:,}, no whole number of {found.name}'s {found.block}")
        return GgufTensor(name, sizes, found), offset
