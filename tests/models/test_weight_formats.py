"""Weight formats: the bytes of a matrix as libraries store it, and the written forms."""

from __future__ import annotations

import pytest
from each import each

from graphacct.errors import GraphacctError
from graphacct.graph.weight_format import StoredWeight
from graphacct.hooks.manager import default
from graphacct.models.weight_formats import weight_format
from graphacct.models.weight_tensors import GGUF

N, K = 512, 1024
"""A matrix of so many outputs and inputs."""

BYTES = {
    "bf16": 2 * N * K,
    "fp32": 4 * N * K,
    "fp8": N * K + 4,
    "fp8:static": N * K + 8,
    "fp8:channel": N * K + 4 * N,
    "fp8:channel:scale=bf16": N * K + 2 * N,
    "fp8:block=128": N * K + 4 * (N // 128) * (K // 128),
    "int8": N * K + 4 * N,
    # qweight, scales, qzeros of 8 groups, g_idx
    "gptq:4": N * K // 2 + 8 * N * 2 + 8 * N // 2 + 4 * K,
    "gptq:8:group=64": N * K + 16 * N * 2 + 16 * N + 4 * K,
    "gptq:3": N * K * 3 // 8 + 8 * N * 2 + 8 * N * 3 // 8 + 4 * K,
    "gptq:4:group=-1": N * K // 2 + N * 2 + N // 2 + 4 * K,
    "awq:4": N * K // 2 + 8 * N * 2 + 8 * N // 2,
    "int4": N * K // 2 + 8 * N * 2 + 16,
    "packed:8:group=-1": N * K + N * 2 + 16,
    "packed:4:zero": N * K // 2 + 8 * N * 2 + 8 * N // 2 + 16,
    # the magnitudes of 64 elements and the table of 16 codes
    "nf4": N * K // 2 + N * K // 64 * 4 + 64,
    # a byte for each magnitude, a float32 for 256 of them, both tables, the offset
    "nf4:double": N * K // 2 + N * K // 64 + N * K // 64 // 256 * 4 + 64 + 1024 + 4,
    "nvfp4": N * K // 2 + N * K // 16 + 8,
    "mxfp4": N * K // 32 * 17,
    "mxfp8": N * K // 32 * 33,
    "mlx:4": N * K // 2 + N * K // 64 * 4,
    "mlx:3:group=32": N * K * 3 // 8 + N * K // 32 * 4,
    "mlx:6:group=128": N * K * 6 // 8 + N * K // 128 * 4,
}


def bytes_of(text: str, rows: int = N, columns: int = K) -> int:
    found = StoredWeight(weight_format(text, default().weight_formats), rows, columns).check("w")
    assert isinstance(found.bytes, int)
    return found.bytes


@each("text", BYTES)
def test_bytes_of_a_matrix(text: str) -> None:
    """Each format's bytes by the arithmetic of its library (docs/weight-formats.md)."""
    assert bytes_of(text) == BYTES[text]


@each("name", GGUF)
def test_block_types_of_ggml(name: str) -> None:
    """A row of 1024 is whole blocks of every type; their bytes are those of gguf-py 0.19 (GGML_QUANT_SIZES)."""
    block, size = GGUF[name]
    assert bytes_of(name) == N * K // block * size


def test_bitsandbytes_as_measured() -> None:
    """bitsandbytes 0.50.2 on a CPU, a matrix of 48 by 96: 2304 bytes of weights, 72 magnitudes of float32 (or a byte
    each, with one float32 for all of them), the table of 16 codes, and with double quantisation 256 more and an
    offset."""
    assert bytes_of("nf4", 48, 96) == 2304 + 72 * 4 + 16 * 4
    assert bytes_of("nf4:double", 48, 96) == 2304 + 72 + 1 * 4 + 16 * 4 + 256 * 4 + 4
    assert bytes_of("int8", 48, 96) == 48 * 96 + 48 * 4


def test_padded_blocks_count_whole() -> None:
    """fp8's squares and bitsandbytes' last block: 130 × 200 is 2 × 2 squares; 33 elements are 17 bytes, a block."""
    assert bytes_of("fp8:block=128", 130, 200) == 130 * 200 + 4 * 4
    assert bytes_of("nf4", 3, 11) == 17 + 4 + 64


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "q4_k",
            "parameter 'w' cannot be stored as q4_k: its 100 inputs are no whole number of blocks of 256 (blocks)",
        ),
        ("q4_0", "its 100 inputs are no whole number of blocks of 32"),
        ("awq:4", "its 100 inputs are no whole number of blocks of 128 (qzeros)"),
        ("gptq:4", "its 100 inputs are no whole number of blocks of 32 (qweight)"),
        ("nvfp4", "its 100 inputs are no whole number of blocks of 16 (weight_scale)"),
    ],
)
def test_a_row_of_no_whole_blocks(text: str, problem: str) -> None:
    with pytest.raises(GraphacctError) as caught:
        bytes_of(text, 64, 100)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("gptq", "gptq:4:group=128"),
        ("GPTQ:4", "gptq:4:group=128"),
        ("mlx:8", "mlx:8:group=64"),
        ("nf4:double", "nf4:double"),
        ("nvfp4", "nvfp4"),
        ("bfloat16", "bf16"),
        ("torch.bfloat16", "bf16"),
        ("float8_e4m3fn", "fp8"),
        ("fp8:block=128:static", "fp8:block=128:static"),
        ("int4", "int4"),
        ("Q4_K", "q4_k"),
    ],
)
def test_written_forms(text: str, written: str) -> None:
    """The form that reports show has the bits and the group, and else what differs from the defaults."""
    found = weight_format(text, default().weight_formats)
    assert found.name == written
    assert weight_format(found.name, default().weight_formats) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gpqt", "unknown weight format 'gpqt'; did you mean 'gptq'? (graphacct list weight-formats shows all)"),
        (
            "q4_k_m",
            "a mixture of block types, in which every tensor has its own: give the type of most of them, 'q4_k'",
        ),
        ("gptq:5", "weights 'gptq:5:group=128': bits is 2, 3, 4 or 8, not 5"),
        ("gptq:4:grup=64", "gptq has no option 'grup=64'; did you mean 'group'?"),
        ("gptq:4:group=many", "weights 'gptq:4:group=many': group is an integer, not 'many'"),
        ("gptq:4:8", "gives bits twice; another number has its option's name, as in group=8"),
        ("nf4:4", "nf4 has no option '4' for its bits"),
        ("q4_0:32", "q4_0 has no option '32' for its bits; it has no options"),
        ("nf4:block=60", "block is 32, 64, 128, 256, 512, 1024, 2048 or 4096, not 60"),
        ("fp8:block=128:channel", "block and channel exclude each other"),
        ("fp8:scale=int8", "scale is float32, bfloat16 or float16, not int8"),
        ("mlx:4:group=16", "group is 32, 64 or 128, not 16"),
        ("awq:4:group=0", "group is a positive number of elements, not 0"),
        (" ", "weights is the name of a format such as 'nf4' or 'gptq:4:group=128', not ' '"),
        (4, "weights is the name of a format such as 'nf4' or 'gptq:4:group=128', not 4"),
    ],
)
def test_what_is_no_format(text: object, message: str) -> None:
    with pytest.raises(GraphacctError) as caught:
        weight_format(text, default().weight_formats)
    assert message in str(caught.value)


def test_symbols_and_arrays() -> None:
    """A symbol gives a formula, which holds for numbers put in; an array gives each point's bytes, and a point of no
    whole blocks is an error."""
    import numpy
    import sympy

    rows, columns = sympy.symbols("n k", positive=True, integer=True)
    for text in ("q4_k", "gptq:4", "nf4:double", "fp8:block=128"):
        found = StoredWeight(weight_format(text, default().weight_formats), rows, columns).check("w").bytes
        assert found.subs({rows: N, columns: K}) == bytes_of(text)
        sizes = numpy.array([256, K], object)
        swept = StoredWeight(weight_format(text, default().weight_formats), N, sizes).check("w").bytes
        assert list(swept) == [bytes_of(text, N, 256), bytes_of(text)]
    with pytest.raises(GraphacctError, match="no whole number of blocks of 256"):
        StoredWeight(weight_format("q4_k", default().weight_formats), N, numpy.array([256, 300], object)).check("w")
