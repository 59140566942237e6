"""The options that commands share: the same names wherever a model is built."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from graphacct.cli import completion
from graphacct.cli.parameter_types import ImageSize, Integer, Named, OneOf, OutputPath, Seconds, Setting
from graphacct.keywords import DEFAULTS
from graphacct.operators.mask import MASKS
from graphacct.phases import GENERATE, PHASES

Function = TypeVar("Function", bound=Callable[..., Any])
PAIRS = {"set": "--set", "inputs": "--input", "dynamic": "--dynamic"}
"""Options that give several values by name, with how they are typed."""
SIZE = Integer()
PLUGINS = (
    click.option("--plugin", multiple=True, metavar="FILE", help="Load a plugin from a Python file. Repeatable."),
    click.option("--block", multiple=True, metavar="NAME", help="Leave an installed plugin out. Repeatable."),
)


def _keyword(flag: str, text: str, otherwise: str = "", **settings: Any) -> Callable[[Any], Any]:
    """Returns the option for a keyword of the verbs, with their default; `otherwise` describes the default in words."""
    default = DEFAULTS.get(flag.removeprefix("--").replace("-", "_"))
    said = otherwise or ("" if default in (None, "", ()) else str(default))
    return click.option(flag, help=f"{text}  [default: {said}]" if said else text, **{"default": default, **settings})


MODEL = (
    # None means not given: a finished graph has fixed sizes
    _keyword("--batch", "Sequences or images at a time.", type=SIZE, metavar="N", default=None),
    _keyword("--seq-len", "Tokens per sequence.", "the model's context", type=SIZE, metavar="N"),
    _keyword("--encoder-seq-len", "Of an encoder.", "the decoder's", type=SIZE, metavar="N"),
    _keyword("--images", "Images per sequence.", "1 where a text has images", type=SIZE, metavar="N"),
    _keyword("--image-size", "Pixels.", "the model's own", type=ImageSize(), metavar="N|HxW"),
    _keyword("--tiles", "Parts that each image is cut into.", "the model's own", type=SIZE, metavar="N"),
    _keyword("--audios", "Sounds per sequence.", "1 where a text has sounds", type=SIZE, metavar="N"),
    _keyword("--frames", "Of each sound's spectrum, or of each video.", "the model's own", type=SIZE, metavar="N"),
    _keyword("--samples", "Of each sound.", "the model's own", type=SIZE, metavar="N"),
    _keyword("--audio-seconds", "Of each sound, in place of samples or frames.", type=Seconds(), metavar="S"),
    _keyword("--points", "Of each prompt.", "1 where a model has them", type=SIZE, metavar="N"),
    _keyword("--choices", "Of each question.", "2 in a class of multiple choice", type=SIZE, metavar="N"),
    _keyword(
        "--attention",
        "fused (one operator), eager (written out), or absorbed (latent attention on its cached latents).",
        "fused, if the library has it; absorbed for latent attention in decode",
        metavar="NAME",
    ),
    _keyword(
        "--phase",
        "What runs.",
        "forward; train in `memory`",
        type=OneOf((*PHASES, GENERATE)),
        default=None,
    ),
    _keyword("--cache-len", "In decoding: tokens in the cache.", type=SIZE, metavar="N"),
    _keyword("--prompt-len", "In generation: tokens of the prompt.", type=SIZE, metavar="N"),
    _keyword("--new-tokens", "In generation: tokens that each sequence gets.", type=SIZE, metavar="N"),
    _keyword(
        "--loss",
        "In training, one of the model's losses: cross_entropy, sum.",
        "what its class is trained with",
        metavar="NAME",
    ),
    _keyword("--logits", "Of which positions.", type=OneOf(("all", "last")), default=None),
    _keyword("--dtype", "Of the computation: fp32, bf16, fp16, fp64.", "the model's own", metavar="NAME"),
    _keyword(
        "--weights",
        "How parameters are stored: nf4:double, fp8, q4_k … (graphacct list weight-formats).",
        "in --dtype, or as the file says",
        metavar="FORMAT",
        shell_complete=completion.registered("weight_formats"),
    ),
    _keyword("--kv-dtype", "Of the cache.", "--dtype", metavar="NAME"),
    _keyword(
        "--lora",
        "Low-rank adapters: RANK:q_proj,v_proj; RANK:all-linear. Repeatable.",
        multiple=True,
        metavar="RANK:GLOB",
    ),
    _keyword("--lora-dropout", "In training.", "0", type=float, metavar="P"),
    click.option(
        "--transform",
        "transforms",
        multiple=True,
        metavar="NAME[:OPTIONS]",
        shell_complete=completion.registered("transforms"),
        help="A rewrite of the graph, as option=value,option=value. Repeatable, in order.",
    ),
    click.option(
        "--input",
        "inputs",
        type=Named("NAME=SHAPE:DTYPE", "input_ids=2x16:int64"),
        multiple=True,
        metavar="NAME=SHAPE:DTYPE",
        help="Of a module: an input. Repeatable.  [default: what its factory gives]",
    ),
    click.option(
        "--dynamic",
        type=Named("SYMBOL=DIM", "batch=0"),
        multiple=True,
        metavar="SYMBOL=DIM",
        help="Of a module: a dimension of its inputs that may be any size. Repeatable.",
    ),
    click.option(
        "--set",
        type=Setting(),
        multiple=True,
        metavar="KEY=VALUE",
        help="Override a size. Repeatable.",
        shell_complete=completion.keys,
    ),
    *PLUGINS,
)
TRAINING = (
    _keyword(
        "--profile",
        "In training: as which kernels.",
        "torch-eager-cuda",
        metavar="NAME",
        shell_complete=completion.registered("profiles"),
    ),
    _keyword(
        "--recompute",
        "In training: none, full, selective, another policy or a glob.",
        metavar="WHAT",
        shell_complete=completion.registered("recompute_policies"),
    ),
    _keyword("--freeze", "In training: parameters left as they are. Repeatable.", multiple=True, metavar="GLOB"),
    _keyword(
        "--optimizer",
        "In training: adamw, sgd, adafactor, muon … (graphacct list optimizers).",
        metavar="NAME",
        shell_complete=completion.registered("optimizers"),
    ),
    _keyword("--master", "In training: a float32 copy of the parameters.", "of 16 bits", metavar="fp32|none"),
    _keyword("--dp", "Data-parallel ranks, of which this is one.", type=SIZE, metavar="N"),
    _keyword("--zero", "The ZeRO stage over --dp.", type=SIZE, metavar="0|1|2|3"),
)
UNKNOWN = _keyword(
    "--unknown",
    "Operators without a cost are an error, or left out of every sum and named.",
    type=OneOf(("error", "report")),
)
MASK = _keyword(
    "--mask", "Which of attention's pairs are counted.", "the convention's own, full of most", type=OneOf(MASKS)
)
CONVENTIONS = completion.registered("conventions")
QUANTITIES = completion.registered("quantities")
CONVENTION = _keyword("--convention", "What is counted.", metavar="NAME", shell_complete=CONVENTIONS)
ACCOUNT = (*MODEL, *TRAINING, CONVENTION, MASK, UNKNOWN)
MEMORY = (*MODEL, *TRAINING, UNKNOWN)
MODEL_ARGUMENT = click.argument("model", shell_complete=completion.models)
OUTPUT = click.option(
    "-o", "--output", type=OutputPath(), metavar="FILE", help="Write to a file; its ending gives the format."
)
BYTES = click.option(
    "--bytes",
    "bytes_",
    type=OneOf(("si", "binary")),
    default="si",
    help="Bytes in tables as GB (1000³) or GiB (1024³).  [default: si]",
)
DEPTH = click.option("--depth", type=SIZE, metavar="N", help="Levels of scopes, in full.  [default: what fits]")


def plugin_options(function: Function) -> Function:
    """Adds --plugin and --block to a command."""
    return _decorated(function, PLUGINS)


def model_options(function: Function) -> Function:
    """Adds the options that build a model to a command."""
    return _decorated(function, MODEL)


def account_options(function: Function) -> Function:
    """Adds the options that build a model and account for it to a command."""
    return _decorated(function, ACCOUNT)


def memory_options(function: Function) -> Function:
    """Adds the options that build a model and say how it is trained to a command."""
    return _decorated(function, MEMORY)


def format_option(*formats: str) -> Callable[[Function], Function]:
    """Adds --format to a command. Without it the output file's ending decides, or else the first format is used."""
    return click.option("--format", "format_", type=OneOf(formats), help=f"[default: {formats[0]}]")


def arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the shared options as keyword arguments of `graphacct.build` or `graphacct.account`."""
    given = {name: value for name, value in options.items() if name not in ("plugin", "block", *PAIRS)}
    named = {name: pairs(flag, options[name]) for name, flag in PAIRS.items()}
    of_modules = {name: named[name] or None for name in ("inputs", "dynamic")}
    return {**given, **of_modules, "set": named["set"], "plugins": plugins(options)}


def pairs(flag: str, given: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Returns what a repeated option gives by name."""
    names = [name for name, _ in given]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise click.UsageError(f"{flag} {twice} is given twice", click.get_current_context(silent=True))
    return dict(given)


def plugins(options: Mapping[str, Any]) -> Any:
    """Returns the plugins that --plugin and --block ask for."""
    from graphacct.hooks.manager import default, load

    if options["plugin"] or options["block"]:
        return load(options["block"], options["plugin"])
    return default()


def _decorated(function: Function, options: Sequence[Callable[[Any], Any]]) -> Function:
    for option in reversed(options):
        function = option(function)
    return function
