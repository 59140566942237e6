"""The cache of keys and values: what is there, what is kept of it, and how many bytes that is."""

from types import SimpleNamespace

import pytest
from graphacct_operators.cache import kv_cache, kv_keep
from graphacct_operators.quantities import kv_bytes_per_token, kv_cache_bytes

from graphacct import Node, ShapeError, TensorSpec, Value


def left(shape, dtype="bfloat16"):
    """The record of a node that leaves a tensor of this shape in the cache."""
    return SimpleNamespace(node=Node("n", "kv_keep", (), (Value("n", TensorSpec(shape, dtype)),)))


def test_the_cache_is_given():
    """It costs nothing, is no new storage, and is there before the graph runs."""
    found = kv_cache.apply([], {"shape": (2, 8, 100, 64), "dtype": "float16"})
    assert found.outputs == (TensorSpec((2, 8, 100, 64), "float16"),)
    assert (found.cost.flops, found.cost.activation_bytes, found.view, kv_cache.preexisting) == (0, 0, True, True)


def test_all_is_kept_unless_said():
    """The operand itself, whatever its layout."""
    turned = TensorSpec((2, 8, 10, 4), strides=(320, 4, 32, 1))
    assert kv_keep.apply([turned], {}).outputs == (turned,)


def test_the_last_tokens_are_a_view():
    """Fewer tokens at the operand's strides: heads are 10 tokens of 4 apart, not 6."""
    found = kv_keep.apply([TensorSpec((2, 8, 10, 4))], {"length": 6})
    assert found.outputs == (TensorSpec((2, 8, 6, 4), strides=(320, 40, 4, 1)),)
    assert (found.view, found.cost.activation_bytes) == (True, 0)


@pytest.mark.parametrize("length", [0, 11, -1])
def test_more_than_there_is_cannot_be_kept(length):
    """Nor nothing."""
    with pytest.raises(ShapeError, match=f"the cache keeps {length} of 10 tokens: at least 1, at most all"):
        kv_keep.apply([TensorSpec((2, 8, 10, 4))], {"length": length})


def test_a_cache_has_tokens():
    """(tokens, width) lacks the batch."""
    with pytest.raises(ShapeError, match=r"a cache is \(batch, \.\.\., tokens, width\), not \[10, 4\]"):
        kv_keep.apply([TensorSpec((10, 4))], {})


@pytest.mark.parametrize(
    ("shape", "dtype", "total", "token"),
    [
        ((3, 8, 100, 128), "bfloat16", 3 * 8 * 100 * 128 * 2, 8 * 128 * 2),
        ((3, 1, 100, 128), "float32", 3 * 100 * 128 * 4, 128 * 4),
        ((3, 100, 576), "bfloat16", 3 * 100 * 576 * 2, 576 * 2),
        ((3, 8, 100, 128), "float8_e4m3fn", 3 * 8 * 100 * 128, 8 * 128),
        ((3, 8, 100, 128), "int4", 3 * 8 * 100 * 128 // 2, 8 * 128 // 2),
    ],
)
def test_bytes_in_all_and_of_a_token(shape, dtype, total, token):
    """All of the tensor, and what it has for one token of one sequence, in any dtype."""
    record = left(shape, dtype)
    assert (kv_cache_bytes(record), kv_bytes_per_token(record)) == (total, token)


def test_what_does_not_grow_has_no_bytes_of_a_token():
    """An encoder's keys are in the cache, and the next token adds none."""
    keys = TensorSpec((3, 8, 100, 64))
    record = SimpleNamespace(node=Node("n", "kv_keep", (), (Value("n", keys),), {"grows": False}))
    assert (kv_cache_bytes(record), kv_bytes_per_token(record)) == (3 * 8 * 100 * 64 * 4, 0)


def test_other_nodes_leave_nothing():
    """A matmul's output is in no cache."""
    record = SimpleNamespace(node=Node("n", "matmul", (), (Value("n", TensorSpec((2, 3, 4, 5))),)))
    assert (kv_cache_bytes(record), kv_bytes_per_token(record)) == (0, 0)
