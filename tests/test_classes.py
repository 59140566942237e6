"""Classes that share their methods, and whose fields are found when they are first used."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Mapping
from functools import cached_property, partial
from operator import attrgetter
from threading import Barrier, Thread
from typing import Any

import attrs
import pytest

from graphacct import frozen


def doubled(value: int) -> int:
    return 2 * value


@frozen
class Point:
    x: int
    y: int = 0
    seen: list[int] = attrs.field(factory=list, eq=False, repr=False)

    @cached_property
    def total(self) -> int:
        return self.x + self.y


@frozen(kw_only=True)
class Base:
    width: int = attrs.field(default=1, converter=doubled)


@frozen(kw_only=True)
class Config(Base):
    depth: int
    extra: Mapping[str, Any] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.depth < 0:
            raise ValueError("depth is negative")


@frozen(eq=False)
class Alone:
    name: str

    def __repr__(self) -> str:
        return f"<{self.name}>"


def unread(kind: type) -> bool:
    return not isinstance(vars(kind)["__attrs_attrs__"], tuple)


def test_fields_are_found_when_a_class_is_first_used() -> None:
    @frozen
    class Made:
        x: int = 1

    @frozen
    class Asked:
        x: int = 1

    @frozen
    class Below(Asked):
        y: int = 2

    assert unread(Made)
    assert unread(Below)
    assert Made().x == 1
    assert not unread(Made)
    assert [field.name for field in attrs.fields(Below)] == ["x", "y"]
    assert not unread(Asked)
    assert attrs.has(Below)


def test_values_are_as_those_of_attrs() -> None:
    point = Point(1, 2, [3])
    assert repr(point) == "Point(x=1, y=2)"
    assert point == Point(1, 2)
    assert point != Point(1, 3)
    assert hash(point) == hash(Point(1, 2))
    assert point.total == 3
    assert attrs.evolve(point, y=5) == Point(1, 5)
    assert attrs.asdict(Config(width=2, depth=1)) == {"width": 4, "depth": 1, "extra": {}}
    assert pickle.loads(pickle.dumps(point)) == copy.copy(point) == point
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        point.x = 2  # type: ignore[misc]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        del point.x
    assert attrs.fields(Point).y.default == 0
    assert not hasattr(attrs.fields(Point), "z")
    assert not hasattr(Point, "y")
    match point:
        case Point(x, y):
            assert (x, y) == (1, 2)


def test_a_class_without_equality_is_equal_to_itself_alone() -> None:
    one = Alone("one")
    assert one == one
    assert one != Alone("one")
    assert repr(one) == "<one>"


def test_arguments_are_checked_from_the_first_on() -> None:
    @frozen
    class Pair:
        left: int
        right: int

    for _ in range(2):
        with pytest.raises(TypeError, match="Pair: missing a required argument: 'right'"):
            Pair(1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Config: got an unexpected keyword argument 'widht'"):
        Config(widht=1, depth=1)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="depth is negative"):
        Config(depth=-1)


def test_threads_may_use_a_class_first_together() -> None:
    @frozen
    class Shared:
        x: int

    found: list[int] = []
    start = Barrier(8)

    def use(x: int) -> None:
        start.wait()
        found.append(Shared(x).x)

    threads = [Thread(target=use, args=(x,)) for x in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [*range(8)]


field: Any = attrs.field


def positive(value: object, field: attrs.Attribute[Any], number: Any) -> None:
    if number <= 0:
        raise ValueError(f"{field.name} is {number}")


def beside_first(number: int, value: Any, field: Any) -> Any:
    return number + value.first + len(field.name)


def of_all_kinds(frozen: Any) -> Any:
    """Returns a class with a field of every kind, on a base that has some too."""

    @frozen(kw_only=True)
    class Below:
        first: int
        second: int = 1
        beside: int = field(default=2, converter=attrs.Converter(beside_first, takes_self=True, takes_field=True))

    @frozen
    class Kinds(Below):
        third: int
        _hidden: int = 4
        called: int = field(default=5, alias="name", repr=False)
        made: list[int] = field(factory=list)
        summed: int = field(
            validator=positive, default=attrs.Factory(lambda value: value.third + value._hidden, takes_self=True)
        )
        counted: int = field(default=3, init=False, converter=str)
        late: list[str] = field(init=False)
        kept: int = field(default=0, kw_only=True, eq=False)
        second: int = field(default=9, converter=float)

        def __attrs_post_init__(self) -> None:
            object.__setattr__(self, "late", sorted(vars(self)))

    return Kinds


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((1,), {"first": 0}),
        ((1, 2, 3), {"first": 0, "made": [1], "summed": 7}),
        ((1, 2, 3, [1], 7, 8), {"first": 0, "kept": 4}),
        ((), {"third": 1, "hidden": 2, "name": 3, "first": 0, "second": 6}),
        ((), {}),
        ((1,), {}),
        ((1, 2, 3, [1], 7, 8, 9), {"first": 0}),
        ((1,), {"first": 0, "third": 1}),
        ((1,), {"first": 0, "_hidden": 1}),
        ((1,), {"first": 0, "called": 1}),
        ((1,), {"first": 0, "counted": 1}),
        ((1,), {"first": 0, "summed": 0}),
        ((1,), {"first": 0, "second": "many"}),
        ((1,), {"first": 0, "beside": 7}),
    ],
)
def test_arguments_become_what_attrs_makes_of_them(values: Any, named: Any) -> None:
    """Of defaults, factories, converters, validators, aliases and order; or both refuse them alike."""
    theirs, ours = of_all_kinds(partial(attrs.frozen, slots=False)), of_all_kinds(frozen)
    try:
        expected = theirs(*values, **named)
    except Exception as error:
        said = "Kinds: " if isinstance(error, TypeError) else str(error)
        with pytest.raises(type(error), match=re.escape(said)):
            ours(*values, **named)
        return
    made = ours(*values, **named)
    assert repr(made) == repr(expected)
    assert vars(made) == vars(expected)
    assert vars(attrs.evolve(made, kept=8)) == vars(attrs.evolve(expected, kept=8))
    assert made == ours(*values, **{**named, "kept": 8})
    assert made != ours(**{**named, "third": 1, "hidden": 99})
    assert ours.__match_args__ == theirs.__match_args__
    facts = attrgetter("name", "alias", "init", "kw_only", "eq", "repr", "inherited")
    assert [*map(facts, attrs.fields(ours))] == [*map(facts, attrs.fields(theirs))]
