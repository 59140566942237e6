"""How errors end on the command line."""

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
    from graphacct.cli.errors import ELSEWHERE

    known = {flag for item in core_command("memory").params for flag in item.opts}
    assert not known & set(ELSEWHERE)
    for here in ELSEWHERE.values():
        assert {word.strip(",") for word in here.split() if word.startswith("--")} <= known
