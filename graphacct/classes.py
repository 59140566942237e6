"""Frozen attrs classes that share their methods: attrs finds a class's fields, when the class is first used.

attrs compiles the methods of each class when the class is made, which takes longer than all else that importing a
family does. A family's file and what it shares with others have dozens of classes; a model uses a few of them, and
makes a few values of each.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from threading import RLock
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import attrs

if TYPE_CHECKING:
    from attrs import frozen as frozen  # what a type checker sees
else:

    def frozen(kind: type | None = None, *, kw_only: bool = False, eq: bool = True) -> Any:
        """Returns the class as `attrs.frozen` does, but its methods are those of all such classes, and its fields are
        found when it is first instantiated, or asked for them.

        It has no slots. An `__eq__` or `__repr__` that the class has of its own stays. With `eq` false, a value is
        equal only to itself.

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
        kind.__attrs_attrs__ = unread = _Unread(kind, kw_only)
        kind.__init__ = _first(unread)
        return kind


Kind = TypeVar("Kind")
_TAKEN: dict[type, tuple[tuple[str, str], ...]] = {}


def evolve(value: Kind, /, **changes: Any) -> Kind:
    """Returns a copy of a value of an attrs class with some fields changed, as `attrs.evolve` does: for what is copied
    node by node, in half its time.

    >>> @attrs.frozen
    ... class Point:
    ...     x: int
    ...     y: int = 0
    >>> evolve(Point(1), y=2)
    Point(x=1, y=2)
    """
    kind = type(value)
    taken = _TAKEN.get(kind)
    if taken is None:
        fields = [field for field in attrs.fields(kind) if field.init]  # type: ignore[arg-type]
        taken = _TAKEN[kind] = tuple((field.name, field.alias) for field in fields)
    for name, alias in taken:
        if alias not in changes:
            changes[alias] = getattr(value, name)
    return kind(**changes)


_READING = RLock()
FACTORY: Any = attrs.Factory
CONVERTER: Any = attrs.Converter
"""Classes of which attrs' stubs leave something out."""


class _Unread:
    """Stands in a class where its fields will be, until somebody asks for them."""

    def __init__(self, kind: type, kw_only: bool) -> None:
        self.kind: Any = kind
        self.kw_only = kw_only

    def __get__(self, value: object, kind: type | None = None) -> Sequence[attrs.Attribute[Any]]:
        self.read()
        found: Sequence[attrs.Attribute[Any]] = (kind or type(value)).__attrs_attrs__  # type: ignore[attr-defined]
        return found

    def read(self) -> None:
        """Puts the fields in this one's place and the `__init__` that takes them in the class, once."""
        with _READING:
            kind, own = self.kind, vars(self.kind)
            if own["__attrs_attrs__"] is not self:
                return
            fields = _fields(kind, self.kw_only)
            for field in fields:
                if field.name in own:
                    delattr(kind, field.name)  # the default, or all that `attrs.field` said
            taken = tuple(field.name for field in fields if field.init and not field.kw_only)
            kind.__match_args__ = taken  # type: ignore[misc]
            kind.__setattr__ = kind.__delattr__ = _unchangeable
            kind.__replace__ = attrs.evolve
            kind.__attrs_attrs__ = fields
            kind.__init__ = _init(kind, fields)


def _first(unread: _Unread) -> Callable[..., None]:
    """Returns the `__init__` of a class whose fields are not found yet: it gives way to the one that takes them."""

    def __init__(self: object, /, *values: Any, **named: Any) -> None:
        unread.read()
        unread.kind.__init__(self, *values, **named)

    return __init__


class _Fields(tuple[Any, ...]):
    """The fields of a class in order; each is an attribute too, as in what `attrs.fields` returns."""

    def __getattr__(self, name: str) -> Any:
        for field in self:
            if field.name == name:
                return field
        raise AttributeError(name)


class _Found(Exception):
    """Carries a class's fields out of attrs, which would write methods next."""


def _fields(kind: type, kw_only: bool) -> _Fields:
    """Returns the fields of a class and its bases, as attrs finds them."""

    def found(kind: type, fields: list[Any]) -> NoReturn:
        raise _Found([field if field.alias else field.evolve(alias=field.name.lstrip("_")) for field in fields])

    try:
        attrs.frozen(kind, init=True, eq=False, repr=False, slots=False, kw_only=kw_only, field_transformer=found)
    except _Found as end:
        return _Fields(end.args[0])
    raise AssertionError("attrs hands the fields of every class to its field_transformer")


def _init(kind: Any, fields: _Fields) -> Callable[..., None]:
    """Returns the `__init__` of a class with these fields.

    As that of attrs: it takes the arguments and the constant defaults, makes the other defaults and converts, field by
    field, then validates and calls `__attrs_post_init__`.
    """
    names = {field.alias: field.name for field in fields if field.init}
    needed = {field.alias for field in fields if field.init and field.default is attrs.NOTHING}
    in_order = [field.alias for field in fields if field.init and not field.kw_only]
    start = {field.name: field.default for field in fields if field.init or field.default is not attrs.NOTHING}
    factories = [field.default if isinstance(field.default, FACTORY) else None for field in fields]
    steps = [(field, factory) for field, factory in zip(fields, factories, strict=True) if factory or field.converter]
    checked = [field for field in fields if field.validator is not None]
    before, after = hasattr(kind, "__attrs_pre_init__"), hasattr(kind, "__attrs_post_init__")

    def __init__(self: Any, /, *values: Any, **named: Any) -> None:
        given = {**dict(zip(in_order, values, strict=False)), **named} if values else named
        if len(given) < len(values) + len(named) or not (needed <= given.keys() <= names.keys()):
            _refuse(kind, fields, values, named)
        if before:
            self.__attrs_pre_init__()
        state = vars(self)
        state.update(start)
        for alias, value in given.items():
            state[names[alias]] = value
        for field, factory in steps:
            if factory is not None and field.alias not in given:
                state[field.name] = factory.factory(self) if factory.takes_self else factory.factory()
            if field.converter is not None:
                state[field.name] = _converted(field.converter, state[field.name], self, field)
        if checked and not attrs.validators.get_disabled():
            for field in checked:
                field.validator(self, field, state[field.name])
        if after:
            self.__attrs_post_init__()

    return __init__


def _converted(converter: Any, value: Any, self: object, field: Any) -> Any:
    if not isinstance(converter, CONVERTER):
        return converter(value)
    more = (self,) if converter.takes_self else ()
    return converter.converter(value, *more, field) if converter.takes_field else converter.converter(value, *more)


def _refuse(kind: type, fields: Iterable[Any], values: Sequence[Any], named: Mapping[str, Any]) -> NoReturn:
    """Raises TypeError, which says how the arguments do not fit the fields."""
    way = inspect.Parameter
    parameters = [
        way(
            field.alias,
            way.KEYWORD_ONLY if field.kw_only else way.POSITIONAL_OR_KEYWORD,
            default=way.empty if field.default is attrs.NOTHING else field.default,
        )
        for field in sorted(fields, key=attrgetter("kw_only"))
        if field.init
    ]
    try:
        inspect.Signature(parameters).bind(*values, **named)
    except TypeError as error:
        raise TypeError(f"{kind.__qualname__}: {error}") from None
    raise AssertionError("they fit")


def _unchangeable(self: object, *_: object) -> NoReturn:
    raise attrs.exceptions.FrozenInstanceError


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
