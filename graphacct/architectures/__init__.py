"""Architectures: one family a file. Those in this list are imported when they are asked for."""

from __future__ import annotations

from collections.abc import Iterable

from graphacct.deferred import Deferred
from graphacct.hookspecs import hookimpl

FAMILIES: tuple[Deferred, ...] = (
    Deferred(
        "llama",
        "graphacct.architectures.llama",
        (
            "llama-2-7b",
            "llama-2-13b",
            "llama-2-70b",
            "llama-3-8b",
            "llama-3-70b",
            "llama-3.1-8b",
            "llama-3.1-70b",
            "llama-3.1-405b",
            "llama-3.2-1b",
            "llama-3.2-3b",
        ),
        ("llama",),
    ),
    Deferred(
        "gpt_neox",
        "graphacct.architectures.gpt_neox",
        (
            "pythia-14m",
            "pythia-70m",
            "pythia-160m",
            "pythia-410m",
            "pythia-1b",
            "pythia-1.4b",
            "pythia-2.8b",
            "pythia-6.9b",
            "pythia-12b",
            "gpt-neox-20b",
        ),
        ("gpt_neox",),
    ),
)


@hookimpl
def graphacct_register_architectures() -> Iterable[Deferred]:
    return FAMILIES
