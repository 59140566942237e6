"""Every operator of the plugin keeps the contract of an operator; its families do with all others in tests/testing."""

from typing import Any

import graphacct_vision
import pytest

from graphacct import TensorSpec
from graphacct.testing import OperatorContract, Row
from graphacct.testing.contract import failures

ELSEWHERE = "test_batch_norm.py, test_pooling.py and test_spatial_operators.py"


def pooled(b: Any, c: Any, s: Any, t: Any) -> Any:
    return [(b, c, s + 2, t + 2)], {"kernel": 3, "stride": 2, "padding": 1}


def image(**attributes: Any) -> dict[str, Any]:
    """One row: an image of any sizes, and these attributes."""

    def sized(b: Any, c: Any, s: Any, t: Any) -> Any:
        return [(b, c, s, t)], attributes

    return {"rows": [Row(sized, sizes=SIZES)]}


def transformed(b: Any) -> Any:
    return [(b, 2, 3)], {"size": (6, 5)}


def sampled(b: Any, c: Any, s: Any, t: Any) -> Any:
    return [(b, c, s, t), (b, t + 1, s + 1, 2)], {}


def shuffled(b: Any, c: Any, s: Any, t: Any) -> Any:
    return [(b, 4 * c, s, t)], {"upscale_factor": 2}


def unshuffled(b: Any, c: Any, s: Any, t: Any) -> Any:
    return [(b, c, 2 * s, 2 * t)], {"downscale_factor": 2}


def mixed(b: Any, c: Any, s: Any, t: Any) -> Any:
    return [(b, 2 * c, s, t)], {"groups": 2}


def folded(b: Any, c: Any) -> Any:
    return [(b, 9 * c, 12)], {"size": (6, 5), "kernel": 3}


def normed(b: Any, c: Any, s: Any, t: Any) -> Any:
    return [(b, c, s, t), (c,), (c,)], {}


SIZES = {"b": 2, "c": 3, "s": 5, "t": 7}
STATISTICS = dict.fromkeys(("running_mean", "running_var", "num_batches_tracked"), "a buffer")
CONTRACTS: dict[str, dict[str, Any]] = {
    "batch_norm": {
        "rows": [
            Row([(2, 3, 5), (3,), (3,), (3,), (3,), TensorSpec((), "int64")], {"training": training})
            for training in (False, True)
        ],
        "without_gradient": STATISTICS,
    },
    "max_pool": {"rows": [Row(pooled, sizes=SIZES)]},
    "avg_pool": {"rows": [Row(pooled, sizes=SIZES)]},
    "adaptive_avg_pool": {"rows": [Row([(2, 3, 14, 21)], {"size": 7})]},
    "adaptive_max_pool": {"rows": [Row([(2, 3, 14, 21)], {"size": 7})]},
    "max_unpool": {"rows": [Row([(2, 3, 5, 7), TensorSpec((2, 3, 5, 7), "int64")], {"size": 14})]},
    "instance_norm": {"rows": [Row(normed, sizes=SIZES)]},
    "local_response_norm": image(size=3),
    "upsample_nearest": image(size=(9, 11)),
    "upsample_linear": image(size=(9, 11)),
    "upsample_bicubic": image(size=(9, 11)),
    **dict.fromkeys(["upsample_linear_antialiased", "upsample_bicubic_antialiased"], image(size=(9, 11))),
    "fractional_max_pool": {"rows": [Row([(2, 3, 14, 21), (2, 3, 2)], {"kernel": 2, "size": (5, 7)})]},
    "affine_grid": {"rows": [Row(transformed, sizes={"b": 2}, matmul_flops=2 * 2 * 30 * 2 * 3)]},
    "grid_sampler": {"rows": [Row(sampled, sizes=SIZES)]},
    "pixel_shuffle": {"rows": [Row(shuffled, sizes=SIZES)]},
    "pixel_unshuffle": {"rows": [Row(unshuffled, sizes=SIZES)]},
    "channel_shuffle": {"rows": [Row(mixed, sizes=SIZES)]},
    "im2col": image(kernel=3, padding=1),
    "col2im": {"rows": [Row(folded, sizes={"b": 2, "c": 3})]},
    "reflection_pad": image(padding=(1, 2, 2, 1)),
    "replication_pad": image(padding=(1, 2, 2, 1)),
}


def test_every_operator_has_a_contract() -> None:
    """An operator that is added needs rows here."""
    assert {op.name for op in graphacct_vision.graphacct_register_operators()} == set(CONTRACTS)


@pytest.mark.parametrize("name", CONTRACTS)
def test_it_keeps_its_contract(name: str) -> None:
    contract = OperatorContract.of(name, costs_in=ELSEWHERE, **CONTRACTS[name])
    assert [*failures(contract)] == []
