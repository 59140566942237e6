"""Values that depend only on sizes: positions, masks, constant tables."""

from typing import Any

from graphacct import Mask, TensorSpec, Work, operator
from graphacct_operators.gradient import nothing
from graphacct_operators.strides import in_dtype


@operator("-> batch_size n", infer=lambda *, batch=1, n: (batch, n), dtype="int64")
def arange() -> Work:
    """The positions 0 to n - 1, as ids of shape (batch, n). Integer work is bytes, not FLOPs."""
    return Work()


def _mask_spec(*, seq: Any, keys: Any = None, batch: Any = 1, dtype: str = "float32") -> TensorSpec:
    keys = seq if keys is None else keys
    shape = (seq, keys) if dtype == "bool" else (batch, 1, seq, keys)
    return TensorSpec(shape, dtype)


def _seen(
    *,
    seq: Any,
    keys: Any = None,
    window: Any = None,
    chunk: Any = None,
    both_ways: bool = False,
    ahead: Any = None,
    shared: Any = 0,
    prefix: Any = 0,
) -> Mask | None:
    if both_ways and window is None:
        return None
    return Mask(seq, seq if keys is None else keys, not both_ways, window, ahead, chunk, shared, prefix)


@operator("-> rows columns", infer=_mask_spec, sees=_seen)
def causal_mask() -> Work:
    """Which key each query may see. A bool mask is (seq, keys), as many keys as queries unless said; a float mask, 0
    or the dtype's lowest value, is (batch, 1, seq, keys), as the transformers library makes it. Comparisons of
    indices are not counted as FLOPs.

    What it hides is the positions after a query, and those outside a `window` of so many, its own included, or outside
    its `chunk`. With `both_ways` it hides those after a query from the first that is not among the next `ahead`, or
    else outside the window, and none without one. The last `shared` keys are seen
    by all, and the first `prefix` positions see one another. `--mask` reads that."""
    return Work()


def _causal(*, shape: Any, causal: bool = False, window: Any = None) -> Mask | None:
    """Returns the mask that a table of (…, queries, keys) is, if it is one."""
    return Mask(shape[-2], shape[-1], window=window) if causal else None


@operator("-> any", infer=lambda *, shape, dtype="float32": TensorSpec(tuple(shape), dtype), view=True, sees=_causal)
def constant() -> Work:
    """A table that was computed when the model was made (a buffer that is not saved): no work, no new storage. `causal`
    says that it is a mask of (…, queries, keys), within a `window` if there is one."""
    return Work()


@operator("-> any", infer=lambda *, shape, dtype="float32": TensorSpec(tuple(shape), dtype), sees=_causal)
def full() -> Work:
    """One value everywhere, made when the model runs. No arithmetic: the bytes are written. `causal` says that what is
    made of it is a mask, as for `constant`."""
    return Work()


@operator("-> any", infer=lambda *, shape, dtype="float32": TensorSpec(tuple(shape), dtype))
def random() -> Work:
    """Random numbers, made when the model runs. No arithmetic: random numbers are bytes, not FLOPs."""
    return Work()


@operator("x: ... -> ...", infer=lambda x, *, dtype="": in_dtype(x, dtype=dtype), gradients={"x": nothing})
def random_like() -> Work:
    """Random numbers in a tensor like x, whose elements are not read. No arithmetic: random numbers are bytes.

    Backward: none to compute: it is zero everywhere.
    """
    return Work(read_bytes=0)


@operator("p: ... -> ...", infer=lambda p, *, dtype="": in_dtype(p, dtype=dtype), gradients={"p": nothing})
def bernoulli() -> Work:
    """0 or 1 by chance, 1 with the probability that each element of p states. No arithmetic: random numbers are bytes.

    Backward: none to compute: it is zero everywhere.
    """
    return Work()


@operator(
    "weights: *batch n -> any",
    infer=lambda weights, *, num_samples, replacement=False: TensorSpec((*weights.shape[:-1], num_samples), "int64"),
    gradients={"weights": nothing},
)
def multinomial(weights: TensorSpec, out: TensorSpec, *, replacement: bool = False) -> Work:
    """Places drawn by chance, each with a probability in proportion to its weight.

    2 per weight: a division by noise and the comparison that finds the largest; with replacement the running sum and
    its division by the whole, and 1 per draw, the comparison of a search (PyTorch,
    aten/src/ATen/native/Distributions.cpp).

    Backward: none; a place has no gradient.
    """
    return Work(vector_flops=2 * weights.elements + (out.elements if replacement else 0))


@operator("-> n", infer=lambda *, n, dtype="float32": TensorSpec((n,), dtype))
def linspace(out: TensorSpec) -> Work:
    """n numbers at equal distances. 2 per element: the position times the step, plus the start."""
    return Work(vector_flops=2 * out.elements)


@operator("-> n m", infer=lambda *, n, m, dtype="float32": TensorSpec((n, m), dtype))
def eye() -> Work:
    """Ones on the diagonal of an n by m matrix, zeros elsewhere. No arithmetic: the bytes are written."""
    return Work()


@operator("-> queries keys", infer=lambda *, queries, keys: (queries, keys), dtype="int64")
def relative_buckets(out: TensorSpec) -> Work:
    """The bucket of each query's distance to each key, as T5 has them (Raffel et al., 2020): near distances have one
    each, far ones share by their logarithm.

    4 per pair, one of them a log: the distance is divided, its log taken, divided and multiplied. Comparisons and
    integer work are bytes, not FLOPs.
    """
    return Work(vector_flops=4 * out.elements, transcendentals=out.elements)


@operator("weight: ... -> ...", infer=lambda weight: weight, view=True)
def resident(*, lookup: bool = False) -> Work:
    """A parameter that no node reads under this name in this phase, such as those of an encoder that has run before, or
    a tied one that is read under its other name: it is in memory, and there is no work. `lookup` says that it is a
    table, whose rows are looked up."""
    return Work()


@operator("x: ... -> ...", infer=lambda x: x, view=True, argument=True)
def unread() -> Work:
    """An argument that a layer's function is given and does not read, such as position ids: no work. A checkpoint of
    the layer keeps it until the layer has run again."""
    return Work()
