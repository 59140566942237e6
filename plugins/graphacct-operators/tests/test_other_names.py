"""Operators are suggested by their names in torch and ONNX, and never by a name that merely looks alike."""

import pytest
from each import each
from graphacct_operators.other_names import OTHER_NAMES

import graphacct
from graphacct import Builder
from graphacct.hooks.manager import default
from graphacct.operators.other_names import suggest_operator


@pytest.mark.parametrize(
    ("names", "operator"),
    [
        ("conv1d conv2d conv3d Conv nn.Conv2d tf.nn.conv2d DepthwiseConv2D", "convolution"),
        ("ConvTranspose conv_transpose2d deconv", "convolution_transposed"),
        ("bmm mm MatMul", "matmul"),
        ("aten.baddbmm.default", "matmul_add"),
        ("LSTM nn.LSTM", "lstm"),
        ("rfft2 aten._fft_r2c.default", "fft_r2c"),
        ("nn.NLLLoss NegativeLogLikelihood", "nll_loss"),
        ("addmm gemm Gemm Linear aten::addmm.default torch.nn.functional.linear linaer liner", "linear"),
        ("F.linear keras.layers.Dense", "linear"),
        ("flash_attention aten._scaled_dot_product_flash_attention.default", "scaled_dot_product_attention"),
        ("Relu rellu rleu", "relu"),
        ("LayerNormalization LayerNorm", "layer_norm"),
        ("aten.add_.Tensor Sum", "add"),
        ("Max", "maximum"),  # ONNX's, of two tensors
        ("max ReduceMax", "amax"),  # torch's, over a dimension
        ("Gather", "index_select"),
        ("GatherElements", "gather"),
        ("Transpose", "permute"),
        ("BatchNormalization batch_norm2d", "batch_norm"),
        ("adaptive_max_pool2d", "adaptive_max_pool"),
        ("max_unpool2d", "max_unpool"),
        ("upsample_bilinear2d aten.upsample_trilinear3d.vec", "upsample_linear"),
        ("spilt", "split"),
        ("equal Equal aten.eq.Scalar", "eq"),
        ("GreaterOrEqual greater_equal", "ge"),
        ("arccos", "acos"),
        ("min ReduceMin aten.amin", "amin"),
        ("Min", "minimum"),
        ("linalg_vector_norm aten.linalg_vector_norm.default", "vector_norm"),
        ("rand torch.randn RandomNormal", "random"),
        ("stop_gradient", "detach"),
        ("ScatterElements", "scatter"),
        ("aten._prelu_kernel.default", "prelu"),
    ],
)
def test_other_libraries_names(names: str, operator: str) -> None:
    """In any case, with or without the library's namespace, overload and underscore."""
    for name in names.split():
        assert suggest_operator(name, default().operators) == f"; did you mean {operator!r}?", name


OTHERS = "upsample identity Identity rrelu selu lstm_cell lp_pool2d polygamma sinc logit"


@each("name", OTHERS.split())
def test_what_is_another_operator(name: str) -> None:
    """A name that is only spelled alike is no suggestion: it would cost something else."""
    assert suggest_operator(name, default().operators) == ""


def test_the_names_are_of_operators() -> None:
    """And each stands for one of them."""
    assert OTHER_NAMES.keys() <= default().operators.keys()
    names = [name for text in OTHER_NAMES.values() for name in text.split()]
    assert len(names) == len(set(names))
    assert not set(names) & default().operators.keys()


def test_an_unknown_operator_in_a_builder() -> None:
    """The message is the same wherever a graph comes from."""
    b = Builder("b")
    with pytest.raises(graphacct.GraphacctError, match="unknown operator 'Gemm'; did you mean 'linear'"):
        b.apply("Gemm", b.input("x", (2, 3)))


def test_operands_of_an_einsum_that_are_not_those_of_its_equation() -> None:
    """The error says how many the equation has, and how many there are."""
    b = Builder("b")
    operands = [b.input("x", (2, 8, 4)), b.input("y", (2, 8, 5)), b.input("z", (4, 5, 6))]
    with pytest.raises(graphacct.GraphacctError, match="has 2 operands, not 3"):
        b.apply("einsum", *operands, equation="bsi,bsj->bsij")
    with pytest.raises(graphacct.GraphacctError, match="has 3 operands, not 2"):
        b.apply("einsum", *operands[:2], equation="bsi,bsj,ijk->bsk")
