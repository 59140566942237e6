"""Normalization over the batch: one mean and one variance per channel."""

from typing import Any

from graphacct import OperatorError, Saved, TensorSpec, Work, operator

STATISTIC = "one per channel, of the batch, kept so that backward need not reduce again"
REFERENCE = "torch keeps a reference; a buffer, so no activation"


def _of_x(b: Any, c: Any, batch: Any, weight: Any, *, training: bool = False) -> Work:
    scaled = 1 if weight else 0
    if training:
        return Work(vector_flops=9 * b * c * batch + (4 + scaled) * c)
    return Work(vector_flops=b * c * batch + (2 + scaled) * c, transcendentals=c)


def _of_weight(b: Any, c: Any, batch: Any, *, training: bool = False) -> Work:
    if training:
        return Work(vector_flops=c)
    return Work(vector_flops=3 * b * c * batch + 3 * c, transcendentals=c)


def _of_bias(b: Any, c: Any, batch: Any, *, training: bool = False) -> Work:
    return Work(vector_flops=0 if training else b * c * batch)


@operator(
    "x: b c ..., weight?: c, bias?: c, running_mean?: c, running_var?: c, num_batches_tracked?: -> b c ...",
    saves=(
        Saved("x", "the gradient needs the normalised input, recomputed from x and the statistics"),
        Saved("weight", "the input's gradient is scaled by it"),
        Saved("running_mean", REFERENCE),
        Saved("running_var", REFERENCE),
        Saved("mean", STATISTIC, "c", "float32", "training"),
        Saved("rstd", STATISTIC, "c", "float32", "training"),
    ),
    gradients={"x": _of_x, "weight": _of_weight, "bias": _of_bias},
)
def batch_norm(
    b: Any,
    c: Any,
    batch: Any,
    x: TensorSpec,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    num_batches_tracked: Any,
    out: TensorSpec,
    *,
    training: bool = False,
) -> Work:
    """(x - mean) * rsqrt(var + eps) * weight + bias per channel (Ioffe and Szegedy, 2015).

    In inference, with running statistics, 2 per element: times a scale, plus a shift (fvcore counts an affine
    batch norm so); the two come from the statistics at 5 per channel: plus eps, rsqrt, times weight, mean * scale,
    subtracted from bias. Without a weight it is 4 per channel. num_batches_tracked is not touched.
    In training 7 per element, as layer_norm: the mean's sum, subtract, square, the
    variance's sum, times rstd, and one each for weight and bias; 4 per channel: two divisions by n, plus eps, rsqrt;
    and 7 per channel to update running statistics, if there are any: two products and a sum for each, and n / (n - 1)
    for the unbiased variance; they and num_batches_tracked are read and written (an integer count is no FLOP).

    Backward, in training: 9 per element for x, in two passes as torch's kernel has it: x - mean, times g, the sum of
    that and of g; then x - mean again, times the one mean, that and the other subtracted from g, times a scale. 4 per
    channel for the factors of the second pass, and 1 for weight. The weight's gradient is the one sum times rstd, 1 per
    channel, and the bias's the other: nothing more; both sums are counted with x. In inference the statistics are
    constants: 1 per element for x, g times a scale made anew (2 per channel, 1 for weight); 3 per element for the
    weight (x - mean, times g, the sum) and 3 per channel; 1 per element for the bias. rsqrt is transcendental.
    """
    if (running_mean is None) != (running_var is None):
        raise OperatorError("has running_mean without running_var: give both, or neither")
    if running_mean is None and not training:
        raise OperatorError("has no running statistics: give them, or training=True for those of the batch")
    elements = b * c * batch
    scaled, shifted = (1 if weight else 0), (1 if bias else 0)
    if not training:
        operands = (x, weight, bias, running_mean, running_var)
        return Work(
            vector_flops=2 * elements + (4 + scaled) * c,
            transcendentals=c,
            read_bytes=sum(spec.bytes for spec in operands if spec),
        )
    state = [spec for spec in (running_mean, running_var, num_batches_tracked) if spec]
    update = 7 * c if state else 0
    return Work(
        vector_flops=(5 + scaled + shifted) * elements + 4 * c + update,
        transcendentals=c,
        write_bytes=out.bytes + sum(spec.bytes for spec in state),
    )
