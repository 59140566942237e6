"""Configuration fields: each checks its value and names its key."""

from __future__ import annotations

import re
from typing import Any

import attrs
import pytest

import graphacct
from graphacct import ConfigError
from graphacct.models.fields import choice, counts, flag, optional_size, probability, size


@attrs.frozen
class Config:
    width: Any = size(8)
    padding: Any = size(0, minimum=0)
    inner: Any = optional_size()
    dropout: float = probability(0.1)
    tied: bool = flag(True)
    activation: str = choice("gelu", ("gelu", "relu"))
    depths: Any = counts((3, 4), 2)


def test_defaults() -> None:
    """A configuration without arguments has its defaults."""
    assert attrs.astuple(Config()) == (8, 0, None, 0.1, True, "gelu", (3, 4))


def test_values_that_fit() -> None:
    """Sizes, counts (a sequence, or a text with commas), probabilities, flags and names."""
    config = Config(16, 3, 32, 0, False, "relu", "5, 6")
    assert attrs.astuple(config) == (16, 3, 32, 0, False, "relu", (5, 6))
    assert Config(depths=[1, 2]).depths == (1, 2)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("width", 0, "width must be positive and below 2**63, not 0"),
        ("width", "8", "width must be an integer, not '8': write 8"),
        ("padding", -1, "padding must be at least 0 and below 2**63, not -1"),
        ("inner", 0, "inner must be positive and below 2**63, not 0; null if there is none"),
        ("dropout", 1, "dropout is a probability from 0 up to (not including) 1, not 1"),
        ("dropout", -0.1, "dropout is a probability from 0 up to (not including) 1, not -0.1"),
        ("dropout", float("nan"), "dropout is a probability from 0 up to (not including) 1, not nan"),
        ("dropout", True, "dropout is a probability from 0 up to (not including) 1, not True"),
        ("dropout", "0.1", "dropout is a probability from 0 up to (not including) 1, not '0.1'"),
        ("tied", 1, "tied is true or false, not 1"),
        ("activation", "rellu", "activation cannot be 'rellu'; did you mean 'relu'?"),
        ("activation", "swish", "activation cannot be 'swish'; known: gelu, relu"),
        ("depths", (1, 2, 3), "depths are 2 counts with commas between, not (1, 2, 3)"),
        ("depths", 5, "depths are 2 counts with commas between, not 5"),
        ("depths", "3,x", "depths must be an integer, not 'x'"),
        ("depths", "3,0", "depths must be positive and below 2**63, not 0"),
    ],
)
def test_values_that_do_not(key: str, value: Any, message: str) -> None:
    """The error names the key, what it takes and the value."""
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        Config(**{key: value})


@pytest.mark.parametrize(
    ("model", "changes", "message"),
    [
        ("gpt2", {"n_head": 7}, "n_embd / n_head: 768 is not divisible by 7"),
        ("gpt2", {"n_layers": 7}, "gpt2 has no configuration key 'n_layers'; did you mean 'n_layer'?"),
        ("gpt2", {"n_layer": 0}, "n_layer must be positive and below 2**63, not 0"),
        ("gpt2", {"n_layer": -3}, "n_layer must be positive and below 2**63, not -3"),
        ("transformer-lm", {"n_head": 256}, "d_head / 2 (rotary positions rotate pairs): 3 is not divisible by 2"),
    ],
)
def test_models_check_their_configuration(model: str, changes: dict[str, Any], message: str) -> None:
    """A model that no size fits, or a key that it does not have, is an error with the way out."""
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        graphacct.build(model, set=changes)


def test_learned_positions_end() -> None:
    """A sequence beyond the learned positions is refused, and the message says what to set."""
    message = (
        "seq_len 2048 is beyond n_positions 1024: the published model has learned no position there; "
        "add --set n_positions=2048"
    )
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        graphacct.build("gpt2", seq_len=2048)
    assert graphacct.build("gpt2", seq_len=2048, set={"n_positions": 2048}).workload["seq_len"] == 2048


def test_older_spellings() -> None:
    """The keys of other files are the same keys: transformers' common names, the worksheet module's own."""
    assert graphacct.build("gpt2", set={"num_hidden_layers": 2}) == graphacct.build("gpt2", set={"n_layer": 2})
    ours, theirs = {"n_layer": 2, "n_head": 4}, {"num_layers": 2, "num_heads": 4}
    assert graphacct.build("transformer-lm", set=theirs) == graphacct.build("transformer-lm", set=ours)
