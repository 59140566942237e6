"""Values that depend on nothing but sizes: positions, masks, constant tables."""

from typing import Any

from graphacct import TensorSpec, Work, operator


@operator("-> batch_size n", infer=lambda *, batch=1, n: (batch, n), dtype="int64")
def arange() -> Work:
    """The positions 0 to n - 1, as ids of shape (batch, n). Integer work is bytes, not FLOPs."""
    return Work()


def _mask_spec(*, seq: Any, keys: Any = None, batch: Any = 1, dtype: str = "float32") -> TensorSpec:
    keys = seq if keys is None else keys
    shape = (seq, keys) if dtype == "bool" else (batch, 1, seq, keys)
    return TensorSpec(shape, dtype)


@operator("-> rows columns", infer=_mask_spec)
def causal_mask() -> Work:
    """Which key each query may see. A bool mask is (seq, keys), as many keys as queries unless said; a float mask, 0
    or the dtype's lowest value, is (batch, 1, seq, keys), as the transformers library makes it. Comparisons of
    indices are not counted as FLOPs."""
    return Work()


@operator("-> any", infer=lambda *, shape, dtype="float32": TensorSpec(tuple(shape), dtype), view=True)
def constant() -> Work:
    """A table that was computed when the model was made (a buffer that is not saved): no work, no new storage."""
    return Work()
