"""Lines to be pasted follow a message as they are."""

from graphacct import GraphacctError
from graphacct.cli.errors import end


def test_notes_keep_their_lines(capsys) -> None:
    error = GraphacctError("nothing says what it costs; lines such as these say it:")
    error.add_note("\nimport graphacct\n\n\ndef cost(x):\n    return graphacct.Work()\n")
    assert end(error) == 1
    shown = capsys.readouterr().err
    assert shown.startswith("graphacct: nothing says what it costs; lines such as these say it:\n\nimport graphacct\n")
    assert "\n    return graphacct.Work()\n" in shown
