"""Weight formats by their written form: `nf4:double`, `gptq:4:group=128`, `q4_k`.

A kind of format has a name and options. After the name stand, with colons between, the number of bits, the options
`name=value`, and the names of options that are switched on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.errors import ConfigError, GraphacctError, PluginError, brief, failure, suggest, unknown
from graphacct.graph.weight_format import StoredTensor, WeightFormat
from graphacct.tensors import DTYPE_ALIASES
from graphacct.transforms.transform import TYPES, Option

SHORT = {"float64": "fp64", "float32": "fp32", "float16": "fp16", "bfloat16": "bf16", "float8_e4m3fn": "fp8"}
"""Other names of formats, and the name that each stands for."""
BY_WIDTH = {
    **dict.fromkeys(("4bit", "4-bit", "load_in_4bit", "qlora"), "of 4 bits: nf4, int4, mxfp4; QLoRA's is nf4"),
    **dict.fromkeys(("8bit", "8-bit", "load_in_8bit"), "of 8 bits: int8, fp8"),
}
"""What others say for a width alone, which several formats have."""
MIXTURES = ("_k_s", "_k_m", "_k_l", "_k_xl")
"""Endings of llama.cpp's mixtures, in which each tensor has a block type of its own."""


@attrs.frozen(eq=False, repr=False)
class WeightFormatKind:
    """A kind of weight format.

    Attributes:
        name: What users call it.
        doc: One sentence: what it stores.
        source: Where that is written down.
        tensors: `tensors(**options)`: what it stores for each matrix (`StoredTensor`), given the value of every option.
            Raises ConfigError for values that no model has.
        options: Its options. An int called `bits` is written without its name, a bool by its name alone.
        dtype: As that of `WeightFormat`.
        direct_rows: As that of `WeightFormat`.
        experts_alone: As that of `WeightFormat`.
        keeps_input: As that of `WeightFormat`.
        replaces: Whether it takes the place of a kind of this name from another plugin.
    """

    name: str
    doc: str
    source: str
    tensors: Callable[..., Sequence[StoredTensor]]
    options: tuple[Option, ...] = ()
    dtype: str = ""
    direct_rows: int | None = None
    experts_alone: bool = False
    keeps_input: bool = False
    replaces: bool = False

    def __repr__(self) -> str:
        return f"<WeightFormatKind {self.name}>"

    def format(self, **given: Any) -> WeightFormat:
        """Returns the format with these options, the others at their defaults."""
        values = {option.name: given.get(option.name, option.default) for option in self.options}
        try:
            tensors = tuple(self.tensors(**values))
        except GraphacctError as error:
            raise type(error)(f"weights {_written(self, values)!r}: {error}") from error
        except Exception as error:
            raise PluginError(failure(f"weight format {self.name!r}", error)) from error
        facts = (self.dtype, self.direct_rows, self.experts_alone, self.keeps_input)
        return WeightFormat(_written(self, values), tensors, *facts)


def _written(kind: WeightFormatKind, values: Mapping[str, Any]) -> str:
    """Returns the written form: the options that differ from their defaults, and always the bits, with the group."""
    parts = [kind.name]
    for option in kind.options:
        value = values[option.name]
        if option.name == "bits":
            parts.append(str(value))
        elif option.type is bool:
            parts += [option.name] if value else []
        elif value != option.default or (option.name == "group" and "bits" in values):
            parts.append(f"{option.name}={value}")
    return ":".join(parts)


def weight_format(text: object, kinds: Mapping[str, WeightFormatKind]) -> WeightFormat:
    """Returns the format of a written form. Raises UnknownNameError for an unknown kind, with the closest one, and
    ConfigError, which names the option, for an option that the kind does not have or a value that does not fit."""
    if not isinstance(text, str) or not text.strip():
        raise ConfigError(f"weights is the name of a format such as 'nf4' or 'gptq:4:group=128', not {brief(text)}")
    head, *rest = (part.strip() for part in text.split(":"))
    name = head.removeprefix("torch.").lower()
    name = SHORT.get(DTYPE_ALIASES.get(name, name), name)
    kind = kinds.get(name)
    if kind is None:
        if name.startswith("q") and name.endswith(MIXTURES):
            block = name[: name.index("_k_") + 2]
            raise ConfigError(
                f"weights {brief(text)} is a mixture of block types, in which every tensor has its own: give the type "
                f"of most of them, {block!r}"
            )
        if name in BY_WIDTH:
            raise unknown("weight format", head, [], f"{BY_WIDTH[name]}; graphacct list weight-formats shows all")
        raise unknown("weight format", head, kinds, "graphacct list weight-formats shows all")
    return kind.format(**_options(kind, rest, text))


def _options(kind: WeightFormatKind, parts: Sequence[str], text: str) -> dict[str, Any]:
    known = {option.name: option for option in kind.options}
    given: dict[str, Any] = {}
    for part in parts:
        key, equals, value = (item.strip() for item in part.partition("="))
        if not equals and part.isdecimal():
            key, value = "bits", part
        elif not equals:
            value = "true"
        key = key.lower()
        if key not in known:
            what = f"{part!r} for its bits" if key == "bits" and not equals else f"{part!r}"
            has = suggest(key, known) if known else "; it has no options"
            raise ConfigError(f"weights {brief(text)}: {kind.name} has no option {what}{has}")
        if key in given:
            name = next((option.name for option in kind.options if option.type is int and option.name != "bits"), "")
            hint = f"; another number has its option's name, as in {name}={value}" if key == "bits" and name else ""
            raise ConfigError(f"weights {brief(text)} gives {key} twice{hint}")
        try:
            given[key] = known[key].read(value)
        except (ValueError, TypeError) as error:
            raise ConfigError(
                f"weights {brief(text)}: {key} is {TYPES[known[key].type]}, not {brief(value)}"
            ) from error
    return given
