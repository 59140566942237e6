"""Normalization over the batch: one mean and one variance per channel."""

from typing import Any

from graphacct import OperatorError, Saved, TensorSpec, Work, operator

STATISTIC = "one per channel, of the batch, kept so that backward need not reduce again"
REFERENCE = "torch keeps a reference; a buffer, so no activation"


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
