"""What tables, Markdown and HTML have in common: the lines, the totals and the terms."""

from __future__ import annotations

import partial
import pytest

from graphacct import ConfigError, Report, account
from graphacct.errors import UnknownNameError
from graphacct.render.sheet import sheet
from graphacct.render.sheet_parts import Sheet


@pytest.fixture(scope="module")
def xl() -> Report:
    """gpt2-xl at 1,024 tokens."""
    return account("gpt2-xl", attention="eager", seq_len=1024)


def labels(sheet: Sheet) -> list[str]:
    """The labels of a sheet's lines."""
    return [line.cells[0] for line in sheet.lines]


def test_the_depth_says_how_many_levels_are_shown(xl: Report) -> None:
    """One level has the model's two halves; an index is no level, so that the block's parts are the third."""
    assert labels(sheet(xl, depth=1)) == ["transformer", "lm_head"]
    assert "h ×48" in labels(sheet(xl, depth=2))
    assert "attn" not in labels(sheet(xl, depth=2))
    assert "attn" in labels(sheet(xl, depth=3))


def test_the_usual_depth_fits_a_terminal() -> None:
    """Unless asked for more, a table has at most 30 lines, and a layer's parts are among them."""
    for model, line in (("gpt2-xl", "mlp"), ("transformer-lm-xl", "ffn")):
        usual = sheet(account(model))
        assert len(usual.lines) <= 30
        assert line in labels(usual)


def test_a_depth_of_zero_is_refused(xl: Report) -> None:
    """A table has at least one level."""
    with pytest.raises(ConfigError, match="at least 1, not 0"):
        sheet(xl, depth=0)


def test_columns_can_be_chosen(xl: Report) -> None:
    """Columns are quantities, in the order asked for; an unknown one is answered with the closest."""
    chosen = sheet(xl, columns=["read_bytes", "params"])
    assert [column.title for column in chosen.columns] == ["Scope", "Operator", "Read", "Params"]
    with pytest.raises(UnknownNameError, match=r"'reads'.*'read_bytes'"):
        sheet(xl, columns=["reads"])
    with pytest.raises(UnknownNameError, match="grouping 'modules'"):
        sheet(xl, by="modules")


def test_units_are_human_and_named(xl: Report) -> None:
    """6,230,444,800 bytes of weights are 6.23 GB or 5.80 GiB; 1,557,611,200 parameters are 1.56 B."""
    decimal, binary = (sheet(xl, binary=flag) for flag in (False, True))
    assert decimal.total is not None
    assert "1.56 B" in decimal.total.cells
    assert "weights 6.23 GB" in decimal.notes[0]
    assert "weights 5.80 GiB" in binary.notes[0]


def test_the_terms_stand_below(xl: Report) -> None:
    """The convention and the coverage are in the notes; a full coverage gives no warning."""
    assert "convention exact; 31 of 31 nodes costed" in sheet(xl).notes
    assert sheet(xl).warning == ""
    assert sheet(xl).subtitle == "batch 1, seq_len 1024, attention eager, dtype float32"


@pytest.mark.parametrize("by", ["scope", "operator", "parameter"])
def test_an_incomplete_total_says_so_beside_each(by: str) -> None:
    """Beside the line of totals and beside each total below it stands how many nodes are in it."""
    partly = sheet(partial.report(), by)
    if partly.total is not None:
        assert partly.total.cells[0] == "Total (29 of 31 nodes)"
    totals = partly.notes[0].split(", ")
    assert len(totals) >= 2
    assert all(total.endswith("(29 of 31 nodes)") for total in totals)
    assert "softmax (mystery)" in partly.warning


def test_a_node_without_a_cost_is_not_zero() -> None:
    """Its cells say `uncosted`, and the scopes around it that there is more."""
    lines = {line.name: line for line in sheet(partial.report(), depth=9).lines}
    assert set(lines["transformer.h.*.attn.softmax"].cells[2:]) == {"uncosted"}
    assert lines["transformer.h.*.attn"].cells[3].endswith("FLOP + ?")
    assert "?" not in "".join(lines["lm_head"].cells)


def test_tensors_are_marked(xl: Report) -> None:
    """The tied head names the tensor it shares, and has no parameters of its own."""
    line = sheet(xl, "parameter").lines[-1]
    assert line.cells == ("lm_head.weight", "[50257, 1600]", "float32", "1", "", "tied to transformer.wte.weight")
