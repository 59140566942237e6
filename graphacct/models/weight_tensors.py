"""The tensors that each of the core's weight formats stores in place of a matrix: bytes for each block of it."""

from __future__ import annotations

from collections.abc import Sequence

from graphacct.errors import ConfigError
from graphacct.graph.weight_format import StoredTensor
from graphacct.tensors import WHOLE_BYTES, dtype_name

WORD = 32
"""Bits of the integers into which GPTQ, AWQ, compressed-tensors and MLX pack."""

Tensors = Sequence[StoredTensor]


def _one_of(name: str, value: int, allowed: Sequence[int]) -> int:
    if value not in allowed:
        raise ConfigError(f"{name} is {', '.join(map(str, allowed[:-1]))} or {allowed[-1]}, not {value}")
    return value


def _block(name: str, value: int) -> int:
    if value < 1:
        raise ConfigError(f"{name} is a positive number of elements, not {value}")
    return value


def _packed(bits: int) -> tuple[int, int]:
    """Returns how many values whole 32-bit words hold, and the bytes of those words: 8 in 4 for 4 bits, 32 in 12 for
    3."""
    return (WORD // bits, 4) if WORD % bits == 0 else (WORD, 4 * bits)


def gptq(bits: int, group: int) -> Tensors:
    """GPTQ (Frantar et al., 2022, arXiv:2210.17323), as AutoGPTQ and GPTQModel store it (auto_gptq/nn_modules/qlinear).

    `qweight` packs the inputs into int32, `qzeros` the outputs of each group, `scales` are 16 bits for each group and
    output, and `g_idx` is an int32 for each input. A group of -1 is the whole row. Zero points are stored for symmetric
    quantisation too.
    """
    _one_of("bits", bits, (2, 3, 4, 8))
    columns = 0 if group == -1 else _block("group", group)
    values, size = _packed(bits)
    return (
        StoredTensor("qweight", WORD * WORD * bits // 8, WORD, WORD),  # inputs and outputs are multiples of 32
        StoredTensor("qzeros", size, values, columns, padded=True),
        StoredTensor("scales", 2, 1, columns, padded=True),
        StoredTensor("g_idx", 4, rows=0),
    )


def awq(bits: int, group: int) -> Tensors:
    """AWQ (Lin et al., 2023, arXiv:2306.00978), as AutoAWQ stores it (awq/modules/linear/gemm.py).

    `qweight` and `qzeros` pack the outputs into int32, `scales` are 16 bits for each group and output. A group of -1
    is the whole row.
    """
    _one_of("bits", bits, (4, 8))
    columns = 0 if group == -1 else _block("group", group)
    values, size = _packed(bits)
    return (
        StoredTensor("qweight", size, rows=values),
        StoredTensor("qzeros", size, values, columns),
        StoredTensor("scales", 2, 1, columns),
    )


def packed(bits: int, group: int, zero: bool) -> Tensors:
    """The `pack-quantized` format of compressed-tensors (compressors/quantized_compressors/pack_quantized.py).

    `weight_packed` packs the inputs into int32, `weight_scale` is 16 bits for each group and output,
    `weight_zero_point` (with `zero`) packs the outputs of each group, and `weight_shape` is two int64. A group of -1 is
    the whole row.
    """
    _one_of("bits", bits, (2, 4, 8))
    columns = 0 if group == -1 else _block("group", group)
    values, size = _packed(bits)
    zeros = (StoredTensor("weight_zero_point", size, values, columns, padded=True),) if zero else ()
    return (
        StoredTensor("weight_packed", size, columns=values, padded=True),
        StoredTensor("weight_scale", 2, 1, columns),
        *zeros,
        StoredTensor("weight_shape", 16, 0, 0),
    )


def int4(group: int, zero: bool) -> Tensors:
    """Four bits an element and a 16-bit scale for each group, as compressed-tensors' preset W4A16 stores them."""
    return packed(4, group, zero)


def int8(scale: str) -> Tensors:
    """Eight bits an element and a scale for each output, as LLM.int8 (Dettmers et al., 2022, arXiv:2208.07339).

    bitsandbytes (nn/modules.py, Int8Params) holds the int8 matrix and `SCB`, a float32 for each output.
    """
    return StoredTensor("weight", 1), StoredTensor("SCB", _scale_bytes(scale), columns=0)


def _scale_bytes(name: str) -> int:
    kind = dtype_name(name)
    if kind not in ("float32", "bfloat16", "float16"):
        raise ConfigError(f"scale is float32, bfloat16 or float16, not {name}")
    return WHOLE_BYTES[kind]


def four_bit(block: int, double: bool) -> Tensors:
    """The 4-bit formats of bitsandbytes (functional.py, quantize_4bit and QuantState), in memory.

    Two elements a byte over the matrix in the order of memory; for each block the largest magnitude as a float32, and
    the table of 16 float32 codes. With `double` that magnitude is a byte, in blocks of 256 with a float32 each, with a
    float32 offset and a table of 256 float32.
    """
    _one_of("block", block, (32, 64, 128, 256, 512, 1024, 2048, 4096))
    flat = {"flat": True, "padded": True}
    weight = StoredTensor("weight", 1, columns=2, **flat)
    codes = StoredTensor("code", 64, 0, 0)
    if not double:
        return weight, StoredTensor("absmax", 4, columns=block, **flat), codes
    return (
        weight,
        StoredTensor("absmax", 1, columns=block, **flat),
        codes,
        StoredTensor("state2.absmax", 4, columns=256 * block, **flat),
        StoredTensor("state2.code", 1024, 0, 0),
        StoredTensor("offset", 4, 0, 0),
    )


def fp8(block: int, channel: bool, static: bool, scale: str) -> Tensors:
    """A byte an element (float8_e4m3fn) and scales.

    Without options one `weight_scale` a matrix, as modelopt and compressed-tensors store it; with `channel` one for
    each output; with `block` a `weight_scale_inv` for each square of so many outputs and inputs, parts of one counting
    as one, as DeepSeek-V3 (arXiv:2412.19437, section 3.3.2) and transformers' finegrained_fp8 store it. With `static`
    an `input_scale` a matrix too. Scales are float32 unless `scale` says otherwise.
    """
    if block and channel:
        raise ConfigError("block and channel exclude each other")
    size = _scale_bytes(scale)
    if block:
        scales = StoredTensor("weight_scale_inv", size, _block("block", block), block, padded=True)
    else:
        scales = StoredTensor("weight_scale", size, 1 if channel else 0, 0)
    inputs = (StoredTensor("input_scale", 4, 0, 0),) if static else ()
    return (StoredTensor("weight", 1), scales, *inputs)


def nvfp4(group: int) -> Tensors:
    """NVFP4, as modelopt stores it (modelopt/torch/quantization/qtensor/nvfp4_tensor.py).

    Two elements a byte along the row, a float8 `weight_scale` for each block of 16, and a float32 `weight_scale_2` and
    `input_scale` a matrix.
    """
    _block("group", group)
    return (
        StoredTensor("weight", 1, columns=2),
        StoredTensor("weight_scale", 1, columns=group),
        StoredTensor("weight_scale_2", 4, 0, 0),
        StoredTensor("input_scale", 4, 0, 0),
    )


def mxfp4() -> Tensors:
    """MXFP4 (OCP Microscaling Formats 1.0): blocks of 32 elements of 4 bits, and a byte as their common exponent.

    gpt-oss's files store both side by side (`blocks`, `scales`), ggml in one block of 17 bytes.
    """
    return StoredTensor("blocks", 16, columns=32), StoredTensor("scales", 1, columns=32)


def mxfp8() -> Tensors:
    """MXFP8 (OCP Microscaling Formats 1.0): blocks of 32 elements of 8 bits, and a byte as their common exponent."""
    return StoredTensor("weight", 32, columns=32), StoredTensor("scales", 1, columns=32)


def mlx(bits: int, group: int) -> Tensors:
    """MLX's affine quantisation (mlx/ops.cpp, affine_quantize; mlx.nn.quantize).

    The inputs packed into 32-bit words, and a 16-bit scale and bias for each group and output.
    """
    _one_of("bits", bits, (2, 3, 4, 5, 6, 8))
    _one_of("group", group, (32, 64, 128))
    values, size = _packed(bits)
    return (
        StoredTensor("weight", size, columns=values),
        StoredTensor("scales", 2, columns=group),
        StoredTensor("biases", 2, columns=group),
    )


GGUF = {
    "q4_0": (32, 18),
    "q4_1": (32, 20),
    "q5_0": (32, 22),
    "q5_1": (32, 24),
    "q8_0": (32, 34),
    "q2_k": (256, 84),
    "q3_k": (256, 110),
    "q4_k": (256, 144),
    "q5_k": (256, 176),
    "q6_k": (256, 210),
    "q8_k": (256, 292),
    "iq1_s": (256, 50),
    "iq1_m": (256, 56),
    "iq2_xxs": (256, 66),
    "iq2_xs": (256, 74),
    "iq2_s": (256, 82),
    "iq3_xxs": (256, 98),
    "iq3_s": (256, 110),
    "iq4_nl": (32, 18),
    "iq4_xs": (256, 136),
    "tq1_0": (256, 54),
    "tq2_0": (256, 66),
}
"""ggml's block types: elements along the row, and bytes (ggml/src/ggml-common.h; gguf-py's GGML_QUANT_SIZES)."""
