"""The cache of keys and values: what an earlier step left, and what this one leaves for the next.

The tensors are (batch, …, tokens, width): (batch, heads, tokens, width) for keys and values of as many heads as have
their own, (batch, tokens, width) for what all heads share.
"""

from typing import Any

from graphacct import ShapeError, TensorSpec, Work, has_value, minimum, operator
from graphacct_operators.quantities import next_token_bytes, token_bytes
from graphacct_operators.strides import strided, strides_of


@operator(
    "-> any", infer=lambda *, shape, dtype="float32": TensorSpec(tuple(shape), dtype), view=True, preexisting=True
)
def kv_cache() -> Work:
    """The keys or values of earlier tokens, (batch, heads, tokens, width), as the last step left them: no work, no new
    storage."""
    return Work()


def _last(
    x: TensorSpec, *, length: Any = None, window: Any = None, grows: Any = True, following: Any = None
) -> TensorSpec:
    """Returns the last `length` tokens of x, or as many as there are in a `window`; all of them unless said."""
    if len(x.shape) < 3:
        raise ShapeError(f"a cache is (batch, ..., tokens, width), not {list(x.shape)}")
    if window is not None and length is None:
        length = minimum(x.shape[-2], window)
    if length is None:
        return x
    tokens = x.shape[-2]
    if has_value(tokens) and has_value(length) and not 0 < length <= tokens:
        raise ShapeError(f"the cache keeps {length} of {tokens} tokens: at least 1, at most all")
    return strided((*x.shape[:-2], length, x.shape[-1]), strides_of(x), x.dtype)


@operator("x: ... -> ...", infer=_last, view=True, caches=token_bytes, caches_next=next_token_bytes)
def kv_keep() -> Work:
    """What the cache holds from now on, of the keys or values so far: the last `length` tokens, or those in a `window`,
    a view. No arithmetic. Of an encoder's keys and values, which later tokens add nothing to, `grows` is false; of
    entries that stand for several tokens each it is a token's share of the bytes of one, and `following` what the next
    token adds."""
    return Work()
