"""What torch, ONNX and other libraries call the operators, for suggestions.

A name is here only if that operator does the same, up to its attributes and the form of its operands (addmm is a linear
layer with its bias). Spellings that differ in case and underscores alone need no entry: LayerNorm is layer_norm. Where
ONNX's name is another library's in other letters, both are written out: torch's `max` is over a dimension, ONNX's `Max`
of two tensors.
"""

OTHER_NAMES = {
    "linear": "addmm gemm dense fully_connected",
    "linear_in_out": "Conv1D",
    "matmul": "bmm mm batch_matmul",
    "matmul_add": "baddbmm",
    "bilinear": "_trilinear",
    "outer": "ger",
    "dot": "vdot",
    "lstm": "_cudnn_rnn mkldnn_rnn_layer",
    "rnn": "rnn_tanh rnn_relu elman_rnn",
    "weight_norm": "_weight_norm_interface",
    "solve_triangular": "linalg_solve_triangular triangular_solve",
    "solve": "linalg_solve",
    "inv": "inverse linalg_inv",
    "cholesky": "linalg_cholesky",
    "cdist": "_cdist_forward pairwise_distances",
    "convolution": "conv conv1d conv2d conv3d cudnn_convolution depthwise_conv2d conv_general_dilated",
    "convolution_transposed": (
        "conv_transpose conv_transpose1d conv_transpose2d conv_transpose3d conv2d_transpose deconvolution deconv"
    ),
    "scaled_dot_product_attention": (
        "flash_attention flash_attn flash_attn_func sdpa memory_efficient_attention scaled_dot_product_flash_attention "
        "_scaled_dot_product_flash_attention _scaled_dot_product_efficient_attention "
        "_scaled_dot_product_cudnn_attention _scaled_dot_product_flash_attention_for_cpu"
    ),
    "add": "Sum",
    "sub": "subtract",
    "mul": "multiply",
    "div": "divide true_divide",
    "maximum": "Max",
    "minimum": "Min",
    "neg": "negative",
    "abs": "absolute",
    "clamp": "clip hardtanh clamp_min clamp_max",
    "dropout": "native_dropout",
    "rotary_embedding": "rope apply_rotary_pos_emb",
    "silu": "swish",
    "softmax": "_softmax",
    "log_softmax": "_log_softmax",
    "embedding": "lookup",
    "layer_norm": "layer_normalization native_layer_norm",
    "rms_norm": "rms_normalization simplified_layer_normalization",
    "group_norm": "group_normalization native_group_norm",
    "cross_entropy": "cross_entropy_loss softmax_cross_entropy_loss",
    "sum": "reduce_sum",
    "mean": "reduce_mean",
    "amax": "max reduce_max",
    "gather": "take_along_dim take_along_axis gather_elements",
    "index_select": "Gather",
    "reshape": "view view_as _unsafe_view flatten unflatten squeeze unsqueeze",
    "transpose": "t swapaxes swapdims",
    "permute": "Transpose movedim",
    "split": "chunk tensor_split split_with_sizes",
    "slice": "narrow",
    "expand": "broadcast_to expand_as",
    "concat": "cat concatenate",
    "cast": "to _to_copy type_as",
    "pad": "constant_pad_nd",
    "repeat": "tile",
    "arange": "range",
    "full": "zeros ones full_like zeros_like ones_like constant_of_shape",
    "grouped_linear_in_out": "grouped_mm _grouped_mm grouped_gemm",
}
"""The other names of an operator, separated by blanks."""
