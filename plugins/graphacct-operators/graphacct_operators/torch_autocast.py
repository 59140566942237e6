"""torch's autocast: a float32 model whose matrix products run in bfloat16, with every cast.

Which operators are cast is torch's own list for each device (aten/src/ATen/autocast_mode.h for CUDA, autocast_mode.cpp
for the CPU, torch 2.13); operators on no list run in their operands' dtype, promoted if they differ. The copies of
parameters are made once and live to the end of the region.
"""

from typing import Any

from graphacct import Expansion, Profile, Tensor
from graphacct_operators.torch_attention import ATTENTION
from graphacct_operators.torch_backward import NAMES, RULES
from graphacct_operators.torch_eager import (
    CPU_EXPAND,
    CPU_SAVES,
    CUDA_EXPAND,
    CUDA_KERNELS,
    composed_rms_norm,
    layer_norm,
)
from graphacct_operators.torch_quantised import KERNELS, write_out, write_out_on_cpu

PRODUCT = "bfloat16"
PRODUCTS = (
    *("linear", "linear_in_out", "matmul", "matmul_add", "einsum", "convolution", "convolution_transposed"),
    *(ATTENTION, "lstm", "prelu"),
)
PRODUCTS_ON_CUDA = (*PRODUCTS, "mv", "gru", "rnn")
JOINED = ("concat", "stack")
JOINED_ON_CUDA = (*JOINED, "bilinear", "dot", "grid_sampler", "atan2", "addcdiv", "addcmul", "scatter_add")
IN_FLOAT32_ON_CPU = ("cross_entropy", "mse_loss")
IN_FLOAT32_ON_CUDA = (
    *("exp", "log", "reciprocal", "rsqrt", "pow", "square", "softplus"),
    *("layer_norm", "rms_norm", "group_norm"),
    *("softmax", "log_softmax", "cumsum", "cumprod", "prod", "logsumexp", "vector_norm"),
    *("cross_entropy", "mse_loss", "nll_loss", "kl_div", "l1_loss", "smooth_l1_loss", "huber_loss", "cdist"),
    "soft_margin_loss",
    "binary_cross_entropy_with_logits",
    *("upsample_nearest", "upsample_linear", "upsample_bicubic"),
    *(
        "acos",
        "asin",
        "cosh",
        "sinh",
        "tan",
        "erfinv",
        "expm1",
        "log10",
        "log2",
        "log1p",
        "pow_tensor",
        "pow_of_number",
    ),
)


def casts(float32: tuple[str, ...], products: tuple[str, ...], joined: tuple[str, ...]) -> dict[str, str]:
    """Returns the dtype that each operator's operands are cast to."""
    return {
        **dict.fromkeys(products, PRODUCT),
        **dict.fromkeys(joined, "promote"),
        **dict.fromkeys(float32, "float32"),
    }


def as_product(trace: Expansion, x: Tensor) -> Tensor:
    """x in the products' dtype."""
    return trace.apply("cast", x, dtype=PRODUCT)


def sum_in_float32(trace: Expansion, x: Tensor, **attributes: Any) -> Tensor:
    """Returns the sum of x in float32, without a copy of x."""
    return trace.apply("sum", x, **attributes, dtype="float32")


AUTOCAST_CUDA = Profile(
    "torch-autocast-cuda",
    "float32 on an NVIDIA GPU under autocast to bfloat16: products in bfloat16, norms, softmax and loss in float32.",
    expand={**CUDA_EXPAND, "as_product": as_product, "sum": sum_in_float32},
    kernels=CUDA_KERNELS,
    casts=casts(IN_FLOAT32_ON_CUDA, PRODUCTS_ON_CUDA, JOINED_ON_CUDA),
    backward=RULES,
    names=NAMES,
    write_out=write_out,
)

AUTOCAST_CUDA_COMPOSED_NORMS = Profile(
    "torch-autocast-cuda-composed-norms",
    "As torch-autocast-cuda, but RMSNorm in several kernels, as the transformers library writes it.",
    expand={**AUTOCAST_CUDA.expand, "rms_norm": composed_rms_norm, "layer_norm": layer_norm},
    kernels=CUDA_KERNELS,
    casts={name: dtype for name, dtype in AUTOCAST_CUDA.casts.items() if name != "rms_norm"},
    backward=RULES,
    names=NAMES,
    write_out=write_out,
)

AUTOCAST_CPU = Profile(
    "torch-autocast-cpu",
    "float32 on a CPU under autocast to bfloat16: products in bfloat16, the loss in float32.",
    expand={**CPU_EXPAND, "as_product": as_product},
    saves=CPU_SAVES,
    kernels=KERNELS,
    casts=casts(IN_FLOAT32_ON_CPU, PRODUCTS, JOINED),
    backward=RULES,
    names=NAMES,
    write_out=write_out_on_cpu,
)
