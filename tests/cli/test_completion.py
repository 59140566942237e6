"""What the shell offers while a command is typed."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.shell_completion import ShellComplete

from graphacct.cli import cli

Offer = Callable[..., list[str]]


@pytest.fixture
def offer() -> Offer:
    """Returns what is offered for the last of some words, the others typed before it."""

    def offered(*words: str) -> list[str]:
        complete = ShellComplete(cli, {}, "graphacct", "_GRAPHACCT_COMPLETE")
        return [item.value for item in complete.get_completions([*words[:-1]], words[-1])]

    return offered


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("re",), ["report", "reconcile"]),
        (("report", "gpt2-"), ["gpt2-large", "gpt2-medium", "gpt2-xl", "gpt2-"]),  # the last stands for a file
        (("compare", "gpt2", "gpt2-x"), ["gpt2-xl", "gpt2-x"]),
        (("explain", "gpt2", "lm_head", "--quantity", "matmul"), ["matmul_flops"]),
        (("report", "gpt2", "--columns", "params,matmul"), ["params,matmul_flops"]),
        (("report", "gpt2", "--set", "n_h"), ["n_head=12"]),
        (("report", "--set", "n_h"), []),  # of no model yet
        (("report", "nosuch", "--set", "n_h"), []),
        (("sweep", "gpt2", "--over", "n_l"), ["n_layer="]),
        (("solve", "gpt2", "--for", "seq"), ["seq_len"]),
        (("formula", "gpt2", "--symbols", "batch,seq"), ["batch,seq_len"]),
        (("reconcile", "gpt2", "--and", "palm"), ["palm-mfu"]),
        (("report", "gpt2", "--convention", "mat"), ["matmul"]),
        (("report", "gpt2", "--optimizer", "adafa"), ["adafactor"]),
        (("report", "gpt2", "--weights", "nf"), ["nf4"]),
        (("report", "gpt2", "--phase", "d"), ["decode"]),
        (("memory", "gpt2", "--on", "L4,RTX-409"), ["l4,rtx-4090"]),
    ],
)
def test_a_word_is_completed(offer: Offer, words: tuple[str, ...], offered: list[str]) -> None:
    """Commands, presets, names that plugins register, and the keys of the model that is typed already."""
    assert offer(*words) == offered
