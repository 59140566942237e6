"""What the texts of options are: sizes, settings, words, files. click calls such a thing a parameter type."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import Any

import click

from graphacct.errors import ConfigError, brief, suggest
from graphacct.sizes import LONGEST, parse_size

SHORT = r"-?[0-9]+(\.[0-9]+)?([kKmM]|[eE]\+?[0-9]{1,2})?"
"""What --set reads as a size if it is a whole number; 1e100 stays a float, which no size is."""
_CONSTANTS = {"true": True, "false": False, "null": None}


class Integer(click.ParamType):  # type: ignore[type-arg]
    """An integer: 4096, 4k or 1e9. The code that uses it checks its range, and knows what it is for."""

    name = "integer"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_size(value)
        except ConfigError as error:
            self.fail(str(error), param, ctx)


class ImageSize(Integer):
    """Pixels: one number for both sides, or HEIGHTxWIDTH."""

    name = "N|HxW"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, (int, tuple)):
            return value
        sides = value.lower().replace("×", "x").split("x")
        if len(sides) > 2 or "," in value:
            self.fail(f"{brief(value)} is no image size: write 224 or 224x192 (height x width)", param, ctx)
        pair = [super(ImageSize, self).convert(side, param, ctx) for side in sides]
        return (pair[0], pair[-1])


class Seconds(click.ParamType):  # type: ignore[type-arg]
    """A length of time: 30 or 2.5."""

    name = "seconds"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | float:
        if isinstance(value, (int, float)):
            return value
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", value):
            self.fail(f"{brief(value)} is no number of seconds: write 30 or 2.5", param, ctx)
        return float(value) if "." in value else int(value)


class OutputPath(click.ParamType):  # type: ignore[type-arg]
    """A file to write, or `-` for standard output."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value.strip():
            self.fail(f"{value!r} names no file", param, ctx)
        return str(value)


class OneOf(click.Choice):  # type: ignore[type-arg]
    """One of a few words. The error for any other word suggests the closest."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value not in self.choices:
            self.fail(f"{brief(value)} is no choice{suggest(str(value), self.choices)}", param, ctx)
        return value


class Setting(click.ParamType):  # type: ignore[type-arg]
    """key=value; the value is a JSON number, object or list, a size (4k, 1e9), true, false or null, or else a word."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        if isinstance(value, tuple):
            return value
        key, equals, text = value.partition("=")
        if not equals or not key.strip():
            self.fail(f"{brief(value)} is not of the form key=value", param, ctx)
        text = text.strip()
        if text in _CONSTANTS:
            return key.strip(), _CONSTANTS[text]
        if _is_integer(text):
            if len(text) > LONGEST:
                self.fail(f"{key.strip()} is an integer of {len(text):,} digits, and no size is as large", param, ctx)
            return key.strip(), int(text)
        if text[:1] in ("{", "["):
            try:
                return key.strip(), json.loads(text, parse_constant=_no_constant)
            except (ValueError, RecursionError) as error:
                self.fail(f"{key.strip()} has {brief(text)}, which is no JSON: {error}", param, ctx)
        return key.strip(), _number(text)


def _no_constant(name: str) -> None:
    raise ValueError(f"it has no {name}")


def _is_integer(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit()


def _number(text: str) -> int | float | str:
    """Returns a size as an integer, another JSON number as a float, and any other word unchanged. NaN and Infinity are
    words, as in JSON. A comma makes a word, because configurations have lists: `depths=3,4,23,3`."""
    if len(text) >= LONGEST or not text.isascii() or not text.removeprefix("-")[:1].isdigit():
        return text
    if "_" in text:
        return text
    if re.fullmatch(SHORT, text):
        with suppress(ConfigError):
            return parse_size(text)
    try:
        return float(text)
    except ValueError:
        return text


class Named(click.ParamType):  # type: ignore[type-arg]
    """NAME=TEXT, for the code that knows what the text means."""

    def __init__(self, name: str, example: str) -> None:
        self.name, self._example = name, example

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        name, equals, text = (part.strip() for part in value.partition("="))
        if not (name and equals and text):
            self.fail(f"{brief(value)} is not of the form {self.name}, as {self._example}", param, ctx)
        return name, text
