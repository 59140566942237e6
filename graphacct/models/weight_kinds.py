"""The core's kinds of weight formats: their names, options and sources. What each stores is in `weight_tensors.py`.

Unless a model's file says otherwise, a format stores the matrices of linear layers and of experts in the layers that
repeat. Embeddings, the head, norms, biases and routers stay in the dtype of the computation.
"""

from __future__ import annotations

from collections.abc import Callable

from graphacct.graph.weight_format import StoredTensor
from graphacct.models.weight_formats import WeightFormatKind
from graphacct.models.weight_tensors import (
    GGUF,
    Tensors,
    awq,
    four_bit,
    fp8,
    gptq,
    int4,
    int8,
    mlx,
    mxfp4,
    mxfp8,
    nvfp4,
    packed,
)
from graphacct.tensors import DTYPE_ALIASES, WHOLE_BYTES
from graphacct.transforms.transform import Option

GROUP = Option("group", int, 128, "Inputs that share a scale; -1 is the whole row.")
ZERO = Option("zero", bool, False, "Whether groups have zero points.")
BITS = Option("bits", int, 4, "Bits of an element.")
SCALE = Option("scale", str, "float32", "The dtype of the scales.")
FOUR_BIT = (
    Option("block", int, 64, "Elements that share a magnitude."),
    Option("double", bool, False, "Whether the magnitudes are quantised too."),
)


def _plain(name: str) -> WeightFormatKind:
    dtype = DTYPE_ALIASES[name]
    size = WHOLE_BYTES[dtype]
    return WeightFormatKind(
        name,
        f"Every parameter in {dtype}: {size} bytes an element.",
        "torch.dtype.itemsize",
        lambda: (StoredTensor("weight", size),),
        dtype=dtype,
    )


def _gguf(name: str, block: int, size: int) -> WeightFormatKind:
    return WeightFormatKind(
        name,
        f"ggml's block type {name.upper()}: {size} bytes for each {block} elements of a row.",
        "ggml/src/ggml-common.h; gguf-py, GGML_QUANT_SIZES",
        lambda: (StoredTensor("blocks", size, columns=block),),
    )


def _kind(
    name: str,
    tensors: Callable[..., Tensors],
    doc: str,
    *options: Option,
    source: str = "",
    direct_rows: int | None = None,
    experts_alone: bool = False,
    keeps_input: bool = False,
) -> WeightFormatKind:
    """Returns a kind; its source is the docstring of its function unless given."""
    source = source or " ".join((tensors.__doc__ or "").split("\n\n")[0].split())
    return WeightFormatKind(name, doc, source, tensors, options, "", direct_rows, experts_alone, keeps_input)


BITSANDBYTES = "bitsandbytes, functional.py (quantize_4bit, QuantState); Dettmers et al., 2023 (arXiv:2305.14314)"
KINDS = (
    *map(_plain, ("bf16", "fp16", "fp32", "fp64")),
    _kind(
        "fp8",
        fp8,
        "A byte an element, and a float32 scale a matrix, an output (`channel`) or a square (`block=128`).",
        Option("block", int, 0, "The side of the squares that share a scale; 0 for none."),
        Option("channel", bool, False, "Whether each output has a scale."),
        Option("static", bool, False, "Whether a scale of the inputs is stored."),
        SCALE,
        source="modelopt, compressed-tensors; DeepSeek-V3 (arXiv:2412.19437), section 3.3.2",
    ),
    _kind("int8", int8, "A byte an element and a float32 scale an output, as LLM.int8.", SCALE, keeps_input=True),
    _kind("int4", int4, "4 bits an element, and a 16-bit scale for each 128 of a row (W4A16).", GROUP, ZERO),
    _kind("packed", packed, "compressed-tensors' pack-quantized: bits and 16-bit scales in groups.", BITS, GROUP, ZERO),
    _kind("gptq", gptq, "GPTQ: bits, scales and zero points in groups, and each input's group.", BITS, GROUP),
    _kind("awq", awq, "AWQ: bits, scales and zero points in groups.", BITS, GROUP),
    _kind(
        "nf4",
        four_bit,
        "bitsandbytes' 4-bit normal floats, with a float32 for each 64; `double` quantises those.",
        *FOUR_BIT,
        source=BITSANDBYTES,
        direct_rows=1,
    ),
    _kind(
        "fp4",
        four_bit,
        "bitsandbytes' 4-bit floats, stored as nf4.",
        *FOUR_BIT,
        source=BITSANDBYTES,
        direct_rows=1,
    ),
    _kind(
        "nvfp4",
        nvfp4,
        "4 bits an element, a byte for each 16, and two float32 a matrix.",
        Option("group", int, 16, "Inputs that share a scale."),
    ),
    _kind(
        "mxfp4",
        mxfp4,
        "17 bytes for each 32 elements; of a model with experts those alone, as gpt-oss.",
        experts_alone=True,
    ),
    _kind("mxfp8", mxfp8, "33 bytes for each 32 elements."),
    _kind(
        "mlx",
        mlx,
        "MLX: bits, and a 16-bit scale and bias for each group.",
        BITS,
        Option("group", int, 64, "Inputs that share a scale and a bias: 32, 64 or 128."),
    ),
    *(_gguf(name, *sizes) for name, sizes in GGUF.items()),
)
