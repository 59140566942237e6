"""A value of graphacct's from another one."""

from __future__ import annotations

import pytest

from graphacct import ConfigError, Parameter, TensorSpec, evolve


def test_other_fields_and_the_rest_as_it_was() -> None:
    weight = Parameter("weight", TensorSpec((2, 3)))
    frozen = evolve(weight, frozen=True)
    assert (frozen.name, frozen.spec, frozen.frozen) == ("weight", weight.spec, True)
    assert not weight.frozen


@pytest.mark.parametrize(
    ("value", "changes", "message"),
    [
        (3, {}, "3 is no value of graphacct's"),
        (Parameter, {}, "is no value of graphacct's"),
        (
            Parameter("weight", TensorSpec((2,))),
            {"frozn": True},
            "a Parameter has no field 'frozn'; did you mean 'frozen'",
        ),
    ],
)
def test_what_has_no_such_fields(value: object, changes: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        evolve(value, **changes)
