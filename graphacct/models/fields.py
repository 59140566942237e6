"""Fields of configuration classes. Each checks its value, and its error names the key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import attrs

from graphacct.dims import Dim, check_dim, has_value
from graphacct.errors import ConfigError, brief, suggest
from graphacct.models.keys import filled
from graphacct.models.metadata import INSIDE, SIZE, SWITCH, WITHIN
from graphacct.models.sub_model import SubModel, named
from graphacct.tensors import dtype_name

OPTIONAL: Mapping[str, Any] = {"optional": True}
"""The metadata of a field for which null is a value (no window, no cap), even if its default is not null."""
SIZED: Mapping[str, Any] = {SIZE: True}
OPTIONAL_SIZE: Mapping[str, Any] = {**OPTIONAL, **SIZED}
MOST = 2**31 - 1
"""The largest size that a configuration can have; published ones have up to ten million positions."""


def checked_field(
    check: Callable[[Any, attrs.Attribute[Any]], Any],
    default: Any = attrs.NOTHING,
    metadata: Mapping[str, Any] | None = None,
    eq: bool = True,
) -> Any:
    """Returns a field whose value is `check(value, field)`, which raises ConfigError for a value that does not fit."""
    return attrs.field(default=default, converter=_converter(check), metadata=metadata, eq=eq)


@cache
def _converter(check: Callable[[Any, attrs.Attribute[Any]], Any]) -> Any:
    """Returns one converter for all fields with this check: attrs reads the check's signature for each new
    converter."""
    return attrs.Converter(check, takes_field=True)


def size(default: Any = attrs.NOTHING, *, minimum: int = 1) -> Any:
    """Returns a dimension or a count: a positive int, a sympy expression or a numpy array."""
    return checked_field(_at_least(minimum), default, metadata=SIZED)


def stated_size(default: Any = attrs.NOTHING, *, minimum: int = 1) -> Any:
    """Returns a size of which null in a file is an error, because other readers of the file take it for none."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Dim:
        if value is None:
            raise ConfigError(f"{field.name} is null: give a number, or leave it out for the class's default")
        return bounded(value, field.name, minimum)

    return checked_field(check, default, metadata=OPTIONAL_SIZE)


def switched_size(default: Any, switch: str, *, minimum: int = 1, optional: bool = False) -> Any:
    """Returns a size that means nothing, and may be any value in a file, if the key `switch` is false."""
    check = _optional_size if optional else _at_least(minimum)
    return checked_field(check, default, metadata={**(OPTIONAL_SIZE if optional else SIZED), SWITCH: switch})


@cache
def _at_least(minimum: int) -> Callable[[Any, attrs.Attribute[Any]], Dim]:
    return lambda value, field: bounded(value, field.name, minimum)


def bounded(value: Any, name: str, minimum: int = 1) -> Dim:
    """Returns a size of at least `minimum` and below 2**31. Raises ConfigError, which names the key, for another."""
    dim = check_dim(value, name, minimum)
    if has_value(dim) and dim > MOST:
        raise ConfigError(f"{name} must be below 2**31, as every size of a model is, not {brief(value)}")
    return dim


def counts(default: Sequence[int], length: int | None = None) -> Any:
    """Returns counts, `length` of them if given: a sequence, or a text with commas as on the command line
    (`3,4,6,3`)."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[Dim, ...]:
        parts = value.split(",") if isinstance(value, str) else value
        if not isinstance(parts, Sequence) or not parts or length not in (None, len(parts)):
            number = "" if length is None else f"{length} "
            raise ConfigError(f"{field.name} are {number}counts with commas between, not {brief(value)}")
        return tuple(check_dim(_whole(part), field.name) for part in parts)

    return checked_field(check, tuple(default), metadata=SIZED)


def _whole(part: Any) -> Any:
    """Returns a text of up to 19 digits as an integer, and anything else unchanged."""
    return int(part) if isinstance(part, str) and part.strip().isdecimal() and len(part) < 20 else part


def optional_size(default: Any = None) -> Any:
    """Returns a dimension or None (null in a file), even if the default is a number."""
    return checked_field(_optional_size, default, metadata=OPTIONAL_SIZE)


def window(default: Any = None) -> Any:
    """Returns the positions that attention looks back at most, or None for all of them. Files say null, or 0, for no
    window."""
    return checked_field(_window, default, metadata=OPTIONAL_SIZE)


def _window(value: Any, field: attrs.Attribute[Any]) -> Dim | None:
    return None if value == 0 and type(value) is int else _optional_size(value, field)


def _optional_size(value: Any, field: attrs.Attribute[Any]) -> Dim | None:
    try:
        return None if value is None else bounded(value, field.name)
    except ConfigError as error:
        raise ConfigError(f"{error}; null if there is none") from error


def probability(default: float) -> Any:
    """Returns a dropout probability, from 0 up to but not including 1."""
    return checked_field(_probability, default)


def optional_probability() -> Any:
    """Returns a dropout probability that may be left out (None)."""
    return checked_field(_optional_probability, None, metadata=OPTIONAL)


def _optional_probability(value: Any, field: attrs.Attribute[Any]) -> float | None:
    return None if value is None else _probability(value, field)


def _probability(value: Any, field: attrs.Attribute[Any]) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ConfigError(f"{field.name} is a probability from 0 up to (not including) 1, not {brief(value)}")
    return value


def flag(default: bool) -> Any:
    """True or false."""
    return checked_field(_flag, default)


def _flag(value: Any, field: attrs.Attribute[Any]) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(f"{field.name} is true or false, not {brief(value)}")
    return value


def optional_flag() -> Any:
    """True, false, or left out (None)."""
    return checked_field(_optional_flag, None, metadata=OPTIONAL)


def _optional_flag(value: Any, field: attrs.Attribute[Any]) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise ConfigError(f"{field.name} is true or false, not {brief(value)}")
    return value


def always(value: bool) -> Any:
    """Returns a key with only one possible value in this family, for files that state it."""

    def check(said: Any, field: attrs.Attribute[Any]) -> bool:
        if said is not value:
            raise ConfigError(f"{field.name} is always {str(value).lower()} in this family, not {brief(said)}")
        return value

    return checked_field(check, value)


def dtype(default: str | None = None) -> Any:
    """Returns the dtype that the weights were published in, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str | None:
        if value is None or value == "auto":
            return None
        if not isinstance(value, str):
            raise ConfigError(f"{field.name} is the name of a dtype, not {brief(value)}")
        return dtype_name(value.removeprefix("torch."))

    return checked_field(check, default)


def choice(default: str, options: Sequence[str]) -> Any:
    """One of a few names."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        if value not in options:
            raise ConfigError(f"{field.name} cannot be {brief(value)}{suggest(str(value), options)}")
        return value

    return checked_field(check, default)


def sides(default: int | tuple[int, int]) -> Any:
    """Returns a height and a width in pixels: two numbers, or one for both."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[Dim, Dim]:
        pair = value.split(",") if isinstance(value, str) else value
        pair = pair if isinstance(pair, Sequence) else (value, value)
        if len(pair) != 2:
            raise ConfigError(f"{field.name} is a height and a width, or one number for both, not {brief(value)}")
        height, width = (check_dim(_whole(side), field.name) for side in pair)
        return height, width

    return checked_field(check, default if isinstance(default, tuple) else (default, default), metadata=SIZED)


def model_class(default: str, known: Sequence[str], older: Mapping[str, str] | None = None) -> Any:
    """Returns the key `architectures`: the class of the weights, one that the family knows. `older` maps former names
    of classes to today's."""

    def check(value: Any, field: attrs.Attribute[Any]) -> str:
        names = [value] if isinstance(value, str) else value
        if names is None or names == [] or names == ():
            return default
        name = names[0] if isinstance(names, Sequence) and names else value
        name = (older or {}).get(name, name) if isinstance(name, str) else name
        if name not in known:
            found = brief(name)
            raise ConfigError(f"{field.name} has {found}{suggest(str(found), known)}")
        return str(name)

    return checked_field(check, default)


LABELS = {"id2label": "num_labels"}
"""The alias of families with a `label_count`."""


def label_count(default: int = 2) -> Any:
    """Returns a number of classes: `num_labels`, or as many as the names in `id2label`."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Dim:
        return len(value) if isinstance(value, Mapping) else check_dim(value, field.name, 0)

    return checked_field(check, default)


def nested(config: type[Any], owner: str = "") -> Any:
    """Returns a nested configuration, such as the text tower's; None if there is none. `owner` is the family, as its
    author calls it."""

    def check(value: Any, field: attrs.Attribute[Any]) -> Any:
        if value is None or isinstance(value, config):
            return value
        if not isinstance(value, Mapping):
            raise ConfigError(f"{field.name} is an object with the keys of a configuration, not {brief(value)}")
        try:
            return filled(config, value)
        except ConfigError as error:
            raise ConfigError(f"in {field.name}: {error}") from error

    return checked_field(check, None, metadata={WITHIN: config})


def model(
    default: str,
    *,
    keys: Mapping[str, Any] | None = None,
    renamed: Mapping[str, str] | None = None,
    absent: Mapping[str, Any] | None = None,
    always: bool = False,
    optional: bool = False,
    classed: bool = False,
    prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
    fits: Callable[[Any, str], None] | None = None,
) -> Any:
    """Returns a model inside this one, of any registered family: the one that reads its `model_type`.

    Args:
        default: The `model_type` of an object without one.
        keys: The keys of the model if the file has no such object.
        renamed: Names that files give to families, and the families' own.
        absent: Keys that count where such an object leaves them out.
        always: Whether it is of the `default` family whatever its `model_type` says.
        optional: Whether there may be none: None then, if the file has no such object.
        classed: Whether the class that the object names counts; else it is the model alone, whatever class it was.
        prepare: Rewrites the object's keys where the outer model's class reads them otherwise than the family.
        fits: `fits(architecture, key)` raises DeclinedError for a family that cannot be here.
    """
    others = renamed or {}

    def inside(content: Mapping[str, Any], key: str) -> Any:
        found = named({} if always else content, key, default, others)
        if fits is not None:
            fits(found, key)
        return found

    def check(value: Any, field: attrs.Attribute[Any]) -> SubModel | None:
        if isinstance(value, SubModel) or (value is None and optional):
            return value
        content = (keys or {}) if value is None else value
        if not isinstance(content, Mapping):
            raise ConfigError(f"{field.name} is an object with the keys of a configuration, not {brief(value)}")
        architecture = inside(content, field.name)
        said = {key: held for key, held in content.items() if held is not None or key not in (absent or {})}
        own = {**(absent or {}), **said, "architectures": content.get("architectures") if classed else None}
        own = own if prepare is None else {**prepare(own)}
        try:
            return SubModel(architecture, architecture.configured(own))
        except ConfigError as error:
            raise ConfigError(f"in {field.name}: {error}") from error

    return checked_field(check, None, metadata={INSIDE: inside, **(OPTIONAL if optional else {})})
