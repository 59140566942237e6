"""ggml's types of tensors, by their numbers in GGUF files, and its names of the mixtures that files are quantised as.

Sources: ggml/include/ggml.h (enum ggml_type), gguf-py's GGML_QUANT_SIZES for blocks and bytes, include/llama.h (enum
llama_ftype). Numbers that were removed from ggml (4, 5, 31 to 33, 36 to 38) are not read.
"""

from __future__ import annotations

import attrs

from graphacct.models.weight_tensors import GGUF


@attrs.frozen
class GgmlType:
    """A type: its name, and the elements along a row and the bytes of a block."""

    name: str
    block: int
    bytes: int


PLAIN = {
    0: ("f32", 4),
    1: ("f16", 2),
    24: ("i8", 1),
    25: ("i16", 2),
    26: ("i32", 4),
    27: ("i64", 8),
    28: ("f64", 8),
    30: ("bf16", 2),
}
"""Types of single elements, and their bytes."""
BLOCKS = {
    2: "q4_0",
    3: "q4_1",
    6: "q5_0",
    7: "q5_1",
    8: "q8_0",
    10: "q2_k",
    11: "q3_k",
    12: "q4_k",
    13: "q5_k",
    14: "q6_k",
    15: "q8_k",
    16: "iq2_xxs",
    17: "iq2_xs",
    18: "iq3_xxs",
    19: "iq1_s",
    20: "iq4_nl",
    21: "iq3_s",
    22: "iq2_s",
    23: "iq4_xs",
    29: "iq1_m",
    34: "tq1_0",
    35: "tq2_0",
}
"""Block types that are weight formats too (`weights=q4_k`)."""
# gguf-py gives q8_1 40 bytes; block_q8_1 of ggml-common.h has 36. No file has it.
FURTHER = {
    9: GgmlType("q8_1", 32, 36),
    39: GgmlType("mxfp4", 32, 17),
    40: GgmlType("nvfp4", 64, 36),
    41: GgmlType("q1_0", 128, 18),
}
GGML_TYPES = {
    **{number: GgmlType(name, 1, size) for number, (name, size) in PLAIN.items()},
    **{number: GgmlType(name, *GGUF[name]) for number, name in BLOCKS.items()},
    **FURTHER,
}
"""The types by number."""

FILE_TYPES = {
    0: "f32",
    1: "f16",
    2: "q4_0",
    3: "q4_1",
    7: "q8_0",
    8: "q5_0",
    9: "q5_1",
    10: "q2_k",
    11: "q3_k_s",
    12: "q3_k_m",
    13: "q3_k_l",
    14: "q4_k_s",
    15: "q4_k_m",
    16: "q5_k_s",
    17: "q5_k_m",
    18: "q6_k",
    19: "iq2_xxs",
    20: "iq2_xs",
    21: "q2_k_s",
    22: "iq3_xs",
    23: "iq3_xxs",
    24: "iq1_s",
    25: "iq4_nl",
    26: "iq3_s",
    27: "iq3_m",
    28: "iq2_s",
    29: "iq2_m",
    30: "iq4_xs",
    31: "iq1_m",
    32: "bf16",
    36: "tq1_0",
    37: "tq2_0",
    38: "mxfp4_moe",
    39: "nvfp4",
    40: "q1_0",
}
"""What `general.file_type` says: the mixture that a file was quantised as."""
