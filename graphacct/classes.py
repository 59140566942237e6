"""Frozen attrs classes that attrs writes when they are first used.

attrs compiles the methods of a class when the class is made, which takes longer than all else that importing a family
does. A family's file and what it shares with others have dozens of classes, and a model uses a few of them.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from threading import RLock
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from attrs import frozen as frozen  # what a type checker sees
else:

    def frozen(kind: type | None = None, *, kw_only: bool = False, eq: bool = True) -> Any:
        """Returns the class as `attrs.frozen` does, but lets attrs write its methods when it is first instantiated, or
        asked for its fields.

        It has no slots. All such classes share one `__eq__`, `__hash__` and `__repr__`. A method that the class has of
        its own stays. With `eq` false, a value is equal only to itself.

        >>> @frozen
        ... class Point:
        ...     x: int
        ...     y: int = 0
        >>> Point(1), Point(1) == Point(1, 0)
        (Point(x=1, y=0), True)
        """
        if kind is None:
            return lambda kind: frozen(kind, kw_only=kw_only, eq=eq)
        own = vars(kind)
        if eq and "__eq__" not in own:
            kind.__eq__, kind.__hash__ = _equal, _hash
        if "__repr__" not in own:
            kind.__repr__ = _shown
        kind.__attrs_attrs__ = unwritten = _Unwritten(kind, kw_only)
        kind.__init__ = unwritten.first
        return kind


_WRITING = RLock()


class _Unwritten:
    """Stands in a class where its fields will be, until somebody asks for them."""

    def __init__(self, kind: type, kw_only: bool) -> None:
        self.kind, self.kw_only = kind, kw_only
        self.first = _first(self)

    def __get__(self, value: object, kind: type | None = None) -> tuple[attrs.Attribute[Any], ...]:
        self.write()
        return (kind or type(value)).__attrs_attrs__  # type: ignore[attr-defined]

    def write(self) -> None:
        """Lets attrs write the class in place, once."""
        with _WRITING:
            if vars(self.kind)["__attrs_attrs__"] is self:
                attrs.frozen(self.kind, init=True, repr=False, eq=False, slots=False, kw_only=self.kw_only)


def _first(unwritten: _Unwritten) -> Callable[..., None]:
    """Returns the `__init__` of an unwritten class: it gives way to the one that attrs writes."""

    def __init__(self: object, *values: Any, **named: Any) -> None:
        unwritten.write()
        unwritten.kind.__init__(self, *values, **named)  # type: ignore[misc]

    return __init__


_COMPARED: dict[type, Callable[[object], Any]] = {}


def _compared(kind: type[Any]) -> Callable[[object], Any]:
    """Returns a function that takes what values of a class are compared by out of one."""
    taken = _COMPARED.get(kind)
    if taken is None:
        names = [field.name for field in attrs.fields(kind) if field.eq]
        taken = _COMPARED[kind] = attrgetter(*names) if names else lambda value: ()
    return taken


def _equal(self: object, other: object) -> bool:
    if other.__class__ is not self.__class__:
        return NotImplemented
    compared = _compared(self.__class__)
    return compared(self) == compared(other)


def _hash(self: object) -> int:
    return hash(_compared(self.__class__)(self))


def _shown(self: Any) -> str:
    kind = self.__class__
    values = [f"{field.name}={getattr(self, field.name)!r}" for field in attrs.fields(kind) if field.repr]
    return f"{kind.__qualname__.rpartition('>.')[2]}({', '.join(values)})"
