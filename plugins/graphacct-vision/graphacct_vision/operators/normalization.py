"""Normalization over the batch: one mean and one variance per channel."""

from typing import Any

from graphacct import OperatorError, Saved, TensorSpec, Work, operator

STATISTIC = "one per channel, of the batch, kept so that backward need not reduce again"
REFERENCE = "torch keeps a reference; a buffer, so no activation"


def _of_x(b: Any, c: Any, batch: Any, weight: Any, *, training: bool = False, affine: bool = True) -> Work:
    scaled = 1 if weight and affine else 0
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
    role="norms",
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
    affine: bool = True,
) -> Work:
    """(x - mean) * rsqrt(var + eps) * weight + bias per channel (Ioffe and Szegedy, 2015).

    In inference, with running statistics, 2 per element: times a scale, plus a shift (fvcore counts an affine
    batch norm so); the two come from the statistics at 5 per channel: plus eps, rsqrt, times weight, mean * scale,
    subtracted from bias. Without a weight it is 4 per channel. num_batches_tracked is not touched. Unless
    `affine` there is neither weight nor bias, and the operands after x are the statistics.
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
    if not affine:
        weight, bias, running_mean, running_var, num_batches_tracked = None, None, weight, bias, running_mean
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


def _of_instance(b: Any, c: Any, batch: Any, weight: Any) -> Work:
    return Work(vector_flops=9 * b * c * batch + (5 if weight else 4) * b * c)


def _repeated(b: Any, c: Any, weight: Any) -> list[tuple[Any, ...]]:
    return [(b * c,)] if weight else []


@operator(
    "x: b c ..., weight?: c, bias?: c -> b c ...",
    saves=(
        Saved("x", "the gradient needs the normalised input, recomputed from x and the statistics"),
        Saved("repeated_weight", "torch runs batch_norm over b c channels: the weight, once for each image", _repeated),
        Saved("mean", "one per image and channel, kept so that backward need not reduce again", "b c", "float32"),
        Saved("rstd", "one per image and channel, kept so that backward need not reduce again", "b c", "float32"),
    ),
    gradients={
        "x": _of_instance,
        "weight": lambda b, c: Work(vector_flops=2 * b * c),
        "bias": lambda b, c: Work(vector_flops=b * c),
    },
    role="norms",
)
def instance_norm(b: Any, c: Any, batch: Any, weight: Any, bias: Any) -> Work:
    """batch_norm in training of each image alone: one mean and one variance per image and channel (Ulyanov et al.,
    2016). torch runs it as batch_norm over b c channels.

    5 per element, one more each for weight and bias, and 4 per image and channel: two divisions by n, plus eps, rsqrt.

    Backward: 9 per element and 4 per image and channel for x, one more there for weight, as batch_norm in training; 2
    per image and channel for the weight (the sum times rstd, then summed over images) and 1 for the bias.
    """
    affine = (1 if weight else 0) + (1 if bias else 0)
    return Work(vector_flops=(5 + affine) * b * c * batch + 4 * b * c, transcendentals=b * c)


def _padded_squares(x: TensorSpec, b: Any, c: Any, *, size: Any) -> tuple[Any, ...]:
    return (b, c + size - 1, *x.shape[2:])


@operator(
    "x: b c ... -> b c ...",
    saves=(
        Saved("x", "the gradient multiplies by it"),
        Saved("padded_squares", "the windows' input, which torch keeps for its shape", _padded_squares),
        Saved("mean_square", "the power's gradient raises it again", "b c ..."),
        Saved("divisor", "the gradient is divided by it", "b c ..."),
    ),
    gradients={
        "x": lambda b, c, batch, *, size: Work(vector_flops=(14 + size) * b * c * batch, transcendentals=b * c * batch)
    },
    role="norms",
)
def local_response_norm(b: Any, c: Any, batch: Any, *, size: Any) -> Work:
    """x / (k + alpha * mean(x² over `size` neighbouring channels))^beta (Krizhevsky et al., 2012), as torch writes it
    out.

    6 per element and one more per channel of the window: square, the sum, divide by size, times alpha, plus k, power,
    divide. The power is transcendental.

    Backward, per element: 5 for the quotient, 3 for the power (transcendental), 1 for alpha, the window's size and 1
    for its mean, and 4 for the square and the sum of both paths to x.
    """
    if isinstance(size, (str, float, bool)) or size is None or (type(size) is int and size < 1):
        raise OperatorError(f"size must be a whole number of at least 1, not {size!r}")
    return Work(vector_flops=(6 + size) * b * c * batch, transcendentals=b * c * batch)
