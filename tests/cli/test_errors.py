"""How errors end on the command line."""

from typing import Any

import pytest

from graphacct.cli.errors import with_dashes


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        ('add phase="train"', "add --phase train"),
        ("recompute='*.attn' matches no node", "--recompute *.attn matches no node"),
        ("leave seq_len= out", "leave --seq-len out"),
        ("draw blocks once, without unroll=True", "draw blocks once, without --unroll"),
        ("add --set image_size=384,384", "add --set image_size=384,384"),
        ("use depth=1", "use --depth 1"),
        ("batch = 1 and my_batch=1 and x.batch=1 stay", "batch = 1 and my_batch=1 and x.batch=1 stay"),
        ("seq_len 1 is a size, not an option", "seq_len 1 is a size, not an option"),
    ],
)
def test_options_of_a_message_are_written_as_they_are_typed(message, typed):
    """The core writes an option as Python does; the command line adds the dashes."""
    assert with_dashes(message) == typed


def test_options_of_other_tools_lead_to_options_here() -> None:
    """What each is here has options that `memory` has, and none of them is one itself."""
    from graphacct.cli import core_command
    from graphacct.cli.other_words import OPTIONS

    known = {flag for item in core_command("memory").params for flag in item.opts}
    assert not known & set(OPTIONS)
    for here in OPTIONS.values():
        assert {word.strip(",") for word in here.split() if word.startswith("--")} <= known


@pytest.mark.parametrize(
    ("typed", "end"),
    [
        ("--bs", "; here it is --batch"),
        ("--per_device_train_batch_size", "; here it is --batch"),
        ("--context", "; here it is --seq-len, or --cache-len with --phase decode"),
        ("--inference", "; here it is --phase prefill or --phase decode"),
        ("--users", "; here it is --batch with --phase decode: a sequence each"),
        ("--world-size", "; here it is --dp N (FSDP: --zero 3)"),
        ("--json", "; here it is --format json"),
        ("--precision", "; here it is --dtype, as in --dtype bf16"),
        ("--optimiser", "; did you mean --optimizer?"),
        ("--seqlen", "; did you mean --seq-len?"),
        ("--opt", "; did you mean --optimizer?"),
        ("--verbose", ""),
        ("--quiet", ""),
    ],
)
def test_a_wrong_guess_is_worse_than_none(typed: str, end: str) -> None:
    """An option of another tool has its answer, a typing error the one option that is like it, and others nothing."""
    from graphacct.cli import core_command
    from graphacct.cli.other_words import option

    known = [flag for item in core_command("memory").params for flag in item.opts]
    assert option(typed, known) == end


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("--gpus", "--dp 8 --zero 3 for how many"),
        ("--tp", "tensor parallelism is not modelled"),
        ("--pipeline-parallel-size", "pipeline parallelism is not modelled"),
        ("--gradient_accumulation_steps", "its memory does not grow with how many are accumulated"),
    ],
)
def test_what_is_not_here_is_said(typed: str, words: str) -> None:
    from graphacct.cli.other_words import option

    assert words in option(typed, ["--batch", "--dp"])


def test_what_a_command_lacks_is_not_named_to_it() -> None:
    """`list` has no --batch."""
    from graphacct.cli.other_words import option

    assert option("--bs", ["--format"]) == ""


@pytest.mark.parametrize(
    ("typed", "end"),
    [
        ("--bs", "it is --batch, of graphacct report and graphacct draw"),
        ("-b", "it is --batch, of graphacct report and graphacct draw"),
        ("--qlora", "it is --weights nf4 --lora 16:all-linear, of graphacct report and graphacct draw"),
        ("--verbose", ""),
    ],
)
def test_an_option_of_another_command_in_the_words_of_others(run: Any, typed: str, end: str) -> None:
    """`list` has no batch: the message says which commands have it."""
    done = run("list", typed)
    assert done.stderr.splitlines()[0] == f"graphacct: no such option {typed!r}" + (f"; {end}" if end else "")


@pytest.mark.parametrize(("typed", "meant"), [("flops", "'report'"), ("help", "--help"), ("reprot", "'report'")])
def test_words_given_as_commands(typed: str, meant: str) -> None:
    from graphacct.cli import COMMANDS
    from graphacct.cli.other_words import command

    assert command(typed, COMMANDS) == f"; did you mean {meant}?"
