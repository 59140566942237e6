"""One block: a body and how often it runs. `transforms/folding.py` finds the layers of a graph that can be one."""

from __future__ import annotations

from collections.abc import Sequence

from graphacct.dims import Dim
from graphacct.graph.graph import Block, Graph, Value, value_names
from graphacct.graph.validate import check_body, check_one_by_one
from graphacct.tensors import TensorSpec


def fold(
    name: str,
    body: Graph,
    repeat: Dim,
    carry: Sequence[Value],
    constants: Sequence[Value],
    start: int = 0,
    each: Sequence[Sequence[Value]] = (),
    apart: int = 0,
) -> Block:
    """Returns the Block that runs `body` `repeat` times. Its outputs are the carried values, then the others stacked,
    with `repeat` as their first dimension, then the last `apart` of them for each repetition.

    Raises GraphError, which names the block, when the body does not take what the block gives it, or changes the shape
    or dtype of what it carries, and when not every repetition has a value of its own in `each`.
    """
    where = f"block {name!r}"
    check_one_by_one(where, body, repeat, len(carry), each, apart)
    check_body(where, body, carry, constants, each)
    single = len(body.outputs) - apart
    specs = [value.spec for value in carry]
    specs += [TensorSpec((repeat, *value.spec.shape), value.spec.dtype) for value in body.outputs[len(carry) : single]]
    if apart:
        assert isinstance(repeat, int)
        specs += [value.spec for value in body.outputs[single:] for _ in range(repeat)]
    outputs = tuple(map(Value, value_names(name, len(specs)), specs))
    return Block(name, body, repeat, tuple(carry), tuple(constants), outputs, start, tuple(map(tuple, each)), apart)
