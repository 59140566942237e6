"""The keywords of the verbs: their names and types, declared once for Python and the command line.

A verb says `**options: Unpack[AccountKeywords]`, which type checkers and editors read as named keywords. `checked`
shows them to `help()` too, with their defaults, and suggests the closest for an unknown one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from types import ModuleType
from typing import TYPE_CHECKING, Any, ParamSpec, TypedDict, TypeVar

from graphacct.errors import ConfigError, suggest

if TYPE_CHECKING:
    from graphacct.dims import Dim

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class ModelKeywords(TypedDict, total=False):
    """What a model is built for. None means the default.

    The fields of `graphacct.Workload` (batch to kv_dtype), then `set` (configuration keys to override), `dtype` (of the
    computation, and of the parameters unless `weights` says otherwise; the architecture's own unless given), `weights`
    (how parameters are stored: a format or a WeightPlan), `lora` (low-rank adapters, each `RANK:GLOB`) and
    `lora_dropout` (the dropout in front of them, in training). `inputs` and `dynamic` are of a model that runs on
    inputs, such as a module of torch: its inputs, as `(args, kwargs)` or as texts by name (`{"input_ids":
    "2x16:int64"}`), and the sizes of them that are symbols, by name (`{"batch": 0}`: the first dimension).
    """

    batch: Dim | None
    seq_len: Dim | None
    encoder_seq_len: Dim | None
    images: Dim | None
    image_size: Dim | tuple[Dim, Dim] | None
    tiles: Dim | None
    audios: Dim | None
    frames: Dim | None
    samples: Dim | None
    audio_seconds: Any
    points: Dim | None
    choices: Dim | None
    attention: str | None
    phase: str | None
    cache_len: Dim | None
    prompt_len: Dim | None
    new_tokens: Dim | None
    loss: str | None
    logits: str | None
    kv_dtype: str | None
    set: Mapping[str, Any] | None
    dtype: str
    weights: Any
    lora: Sequence[str]
    lora_dropout: float
    transforms: Sequence[Any]
    inputs: Any
    dynamic: Mapping[str, Any] | None


class TrainingKeywords(TypedDict, total=False):
    """How a training step runs: the fields of `graphacct.training.options.TrainingOptions`."""

    profile: str
    freeze: str | Sequence[str]
    recompute: str
    optimizer: str
    master: str
    dp: int
    zero: int


class AccountKeywords(ModelKeywords, TrainingKeywords, total=False):
    """What a model is built for, and how a training step of it runs."""


class ReportKeywords(AccountKeywords, total=False):
    """All that a report is made under: also `convention` and `mask`, what is counted, and `unknown`, what becomes of an
    operator without a cost."""

    convention: Any
    mask: str | None
    unknown: str


class NoKeywords(TypedDict):
    """No keywords except those that the verb names itself."""


DEFAULTS: Mapping[str, Any] = {
    "batch": 1,
    "phase": "forward",
    "logits": "all",
    "dtype": "",
    "weights": "",
    "lora": (),
    "lora_dropout": 0.0,
    "transforms": (),
    "profile": "",
    "freeze": (),
    "recompute": "none",
    "optimizer": "adamw",
    "master": "",
    "dp": 1,
    "zero": 0,
    "convention": "exact",
    "mask": None,
    "unknown": "error",
}
"""The defaults of the keywords. Every other one is None, and the architecture fills it in."""


def separated(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the options of a call in two parts: those of a training step, and those of `build`.

    They are separated here, so that a forward pass imports neither `training/` nor `execution/` (10 ms of CPU of 113
    in a plain report).
    """
    own: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for name, value in options.items():
        (own if name in TrainingKeywords.__annotations__ else others)[name] = value
    return own, others


def check_no_training(asked: Mapping[str, Any], lacking: str = "", allowed: Sequence[str] = ()) -> None:
    """Raises ConfigError for an option that a phase without a backward pass would ignore, except the `allowed` ones.
    `lacking` is the name of a model that cannot be trained, or empty."""
    given = [name for name, value in asked.items() if name not in allowed and value not in (DEFAULTS[name], [])]
    if given:
        way_out = f"{lacking!r} has no phase 'train'" if lacking else 'add phase="train"'
        raise ConfigError(f"{', '.join(given)}: of a training step alone; {way_out}")


def checked(
    keywords: type[Any], **defaults: Any
) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Decorates a verb that takes the keywords of a TypedDict as `**options`; `defaults` are the verb's own.

    The verb raises TypeError, with the closest name, for a keyword that it does not have, and for `plugins` that are a
    list of something.
    """
    values = {**DEFAULTS, **defaults}

    def decorate(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        code = function.__code__
        named = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        known = {*named, *keywords.__annotations__}

        @wraps(function)
        def verb(*args: Arguments.args, **options: Arguments.kwargs) -> Result:
            for name in options:
                if name not in known:
                    raise TypeError(f"{function.__name__}() has no keyword {name!r}{suggest(name, known)}")
            if isinstance(options.get("plugins"), (str, Sequence, ModuleType)):
                kind = type(options["plugins"]).__name__
                raise TypeError(f'plugins is what graphacct.load_plugins("my_ops.py") returns, not a {kind}')
            return function(*args, **options)

        if keywords.__annotations__:
            verb.__signature__ = _signature(function, keywords, values)  # type: ignore[attr-defined]
        return verb

    return decorate


def _signature(function: Callable[..., Any], keywords: type[Any], defaults: Mapping[str, Any]) -> inspect.Signature:
    """Returns the signature of a verb, with its `**options` written out as named keywords."""
    own = inspect.signature(function)
    named = [item for item in own.parameters.values() if item.kind is not item.VAR_KEYWORD]
    more = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=kind.__forward_arg__
        )
        for name, kind in keywords.__annotations__.items()
    ]
    return own.replace(parameters=[*named, *more])
