"""Classes that attrs writes when they are first used."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping
from functools import cached_property
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


def unwritten(kind: type) -> bool:
    return "__attrs_props__" not in vars(kind) and not isinstance(vars(kind)["__attrs_attrs__"], tuple)


def test_a_class_is_written_when_it_is_first_used() -> None:
    @frozen
    class Made:
        x: int = 1

    @frozen
    class Asked:
        x: int = 1

    @frozen
    class Below(Asked):
        y: int = 2

    assert unwritten(Made)
    assert unwritten(Below)
    assert Made().x == 1
    assert not unwritten(Made)
    assert [field.name for field in attrs.fields(Below)] == ["x", "y"]
    assert not unwritten(Asked)
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
        with pytest.raises(TypeError, match="missing 1 required positional argument: 'right'"):
            Pair(1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="unexpected keyword argument 'widht'"):
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
