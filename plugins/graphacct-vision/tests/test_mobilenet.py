"""MobileNets: published sizes, and what does not fit."""

import pytest

import graphacct


@pytest.mark.parametrize(
    ("preset", "params"),
    [("mobilenet-v1-1.0-224", 4_231_976 + 1025), ("mobilenet-v2-1.0-224", 3_504_872 + 1281)],
)
def test_published_parameters(preset: str, params: int) -> None:
    """Those of 1000 classes (Howard et al., 2017; torchvision), and a row of the classifier for the background."""
    assert graphacct.account(preset).total["params"] == params


def test_what_does_not_fit_is_named() -> None:
    """The key, the value and the way out."""
    with pytest.raises(graphacct.GraphacctError, match="depth_multiplier is a number above 0, not 0"):
        graphacct.account("mobilenet-v2-1.0-224", set={"depth_multiplier": 0})
