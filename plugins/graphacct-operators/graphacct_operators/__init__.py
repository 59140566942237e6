"""The operators that every model needs, one family a file.

Everything is imported on first use: a plain report applies operators of 8 of the 44 families.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from graphacct import LazyOperator, hookimpl
from graphacct_operators.other_names import OTHER_NAMES

if TYPE_CHECKING:
    from graphacct import Convention, Profile, Quantity, RecomputePolicy, Transform

OPERATORS = {
    "matmul": "linear linear_in_out matmul",
    "einsum": "einsum",
    "products": "matmul_add mv dot outer bilinear cross",
    "recurrent": "lstm gru rnn",
    "weight_norm": "weight_norm",
    "linalg": "solve_triangular solve inv cholesky",
    "factorizations": "lu_factor lu lu_solve det slogdet qr cholesky_solve cholesky_inverse",
    "spectra": "eigh eig svd pinv matrix_exp",
    "distance": "cdist euclidean_distance dist pdist",
    "element_losses": (
        "nll_loss l1_loss smooth_l1_loss huber_loss binary_cross_entropy binary_cross_entropy_with_logits "
        "soft_margin_loss kl_div"
    ),
    "ctc": "ctc_loss",
    "embedding_bag": "embedding_bag",
    "fourier": "fft_c2c fft_r2c fft_c2r",
    "windows": "unfold",
    "elementwise": (
        "add sub mul div maximum minimum scale shift neg abs clamp square pow reciprocal masked_fill where "
        "rotary_embedding dropout"
    ),
    "elementary": (
        "exp exp2 expm1 log log1p log2 log10 sqrt rsqrt sin cos tan asin acos atan sinh cosh asinh acosh atanh"
    ),
    "activation": (
        "relu leaky_relu relu6 elu sigmoid hardsigmoid tanh gelu gelu_tanh gelu_new gelu_fast gelu_python quick_gelu "
        "silu hardswish softplus mish swiglu geglu geglu_tanh"
    ),
    "softmax": "softmax log_softmax",
    "margin_losses": "multi_margin_loss",
    "embedding": "embedding embedding_renorm",
    "normalization": "layer_norm rms_norm group_norm",
    "attention": "scaled_dot_product_attention",
    "attention_sinks": "scaled_dot_product_attention_with_sinks",
    "attention_latent": "latent_attention",
    "cache": "kv_cache kv_keep",
    "convolution": "convolution convolution_transposed",
    "arithmetic": (
        "floor ceil round trunc sign frac rsub floor_divide remainder fmod pow_tensor pow_of_number clamp_tensor lerp "
        "addcmul addcdiv"
    ),
    "special": "erf erfc erfinv lgamma atan2 logaddexp xlogy digamma hypot",
    "shrinking": "glu log_sigmoid softshrink hardshrink threshold celu prelu",
    "comparison": "eq ne lt le gt ge isnan isinf isfinite nan_to_num",
    "logic": (
        "logical_and logical_or logical_xor logical_not bitwise_and bitwise_or bitwise_xor bitwise_left_shift "
        "bitwise_right_shift bitwise_not"
    ),
    "masks": "masked_scatter masked_select nonzero one_hot take slice_scatter select_scatter put",
    "reduction": ("sum mean prod amax amin any all cumsum cumprod cummax cummin nansum aminmax count_nonzero trace"),
    "statistics": "var std var_mean std_mean logsumexp vector_norm renorm logcumsumexp",
    "ordering": (
        "sort argsort max_with_indices min_with_indices median_with_indices kthvalue histc bincount searchsorted "
        "mode_with_indices median unique"
    ),
    "indexing": "gather index_select index_pairs argmax argmin topk",
    "scattering": "scatter scatter_add scatter_reduce index_add index_copy index_fill index_reduce index index_put",
    "arranging": "tril triu flip diagonal diag_embed pack_padded",
    "complex_numbers": "view_as_real view_as_complex conj complex polar angle sgn",
    "detach": "detach",
    "leaf": "leaf",
    "by_rule": "pointwise_by_rule reduction_by_rule move_by_rule",
    "routing": "by_expert grouped_linear grouped_linear_in_out grouped_columns grouped_products",
    "loss": "cross_entropy mse_loss",
    "shape": (
        "reshape transpose permute split unbind select slice expand concat stack contiguous clone cast as_product pad "
        "roll repeat"
    ),
    "writing": "fill copy_into written_through",
    "custom": "custom",
    "creation": (
        "arange causal_mask constant full random random_like bernoulli multinomial linspace eye relative_buckets "
        "resident unread"
    ),
}
"""The names of the operators in each module."""


@hookimpl
def graphacct_register_operators() -> Iterable[LazyOperator]:
    return [
        LazyOperator(name, f"{__name__}.{module}", known_as=tuple(OTHER_NAMES.get(name, "").split()))
        for module, names in OPERATORS.items()
        for name in names.split()
    ]


@hookimpl
def graphacct_register_conventions() -> Iterable[Convention]:
    from graphacct_operators.conventions import WORKSHEET  # imported when a convention is asked for
    from graphacct_operators.published import PUBLISHED

    return [WORKSHEET, *PUBLISHED]


@hookimpl
def graphacct_register_profiles() -> Iterable[Profile]:
    from graphacct_operators import torch_autocast, torch_eager  # imported when memory is asked for

    return [
        torch_eager.CUDA,
        torch_eager.CPU,
        torch_eager.CUDA_COMPOSED_NORMS,
        torch_autocast.AUTOCAST_CUDA,
        torch_autocast.AUTOCAST_CUDA_COMPOSED_NORMS,
        torch_autocast.AUTOCAST_CPU,
    ]


@hookimpl
def graphacct_register_transforms() -> Iterable[Transform]:
    from graphacct_operators.ia3 import IA3
    from graphacct_operators.lora import LORA
    from graphacct_operators.sentence import SENTENCE

    return [LORA, IA3, SENTENCE]


@hookimpl
def graphacct_register_recompute_policies() -> Iterable[RecomputePolicy]:
    from graphacct_operators.recompute import OP_SELECTIVE

    return [OP_SELECTIVE]


@hookimpl
def graphacct_register_quantities() -> Iterable[Quantity]:
    from graphacct_operators.quantities import (
        ACTIVE_PARAMS,
        KV_BYTES_NEXT_TOKEN,
        KV_BYTES_PER_TOKEN,
        KV_CACHE_BYTES,
    )

    return [ACTIVE_PARAMS, KV_CACHE_BYTES, KV_BYTES_PER_TOKEN, KV_BYTES_NEXT_TOKEN]
