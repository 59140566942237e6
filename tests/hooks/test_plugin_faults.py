"""Tests of plugins that misbehave: each ends in one line that names the plugin, and never in a wrong number."""

from pathlib import Path

import pytest

import graphacct
from graphacct.errors import GraphacctError
from graphacct.hooks.manager import Plugins, load

OPERATOR = '''
import graphacct


@graphacct.operator("x: ... n -> ... n", replaces=True)
def softmax(batch, n):
    """A fault."""
    return {}


@graphacct.hookimpl
def graphacct_register_operators():
    return [softmax]
'''
CONVENTION = """
import graphacct


@graphacct.hookimpl
def graphacct_register_conventions():
    return [graphacct.Convention("faulty", "", lambda node, cost, ordinal: {})]
"""
NODE_COST = """
import graphacct


@graphacct.hookimpl
def graphacct_node_cost(node, operator):
    return {}
"""
STYLE = """
import graphacct


@graphacct.hookimpl
def graphacct_node_style(node, cost):
    return {}
"""
READER = """
import graphacct


@graphacct.hookimpl
def graphacct_register_readers():
    return [graphacct.Reader("faulty", "", lambda path: True, lambda path, operators: {})]
"""


def pictured(model: str, plugins: Plugins) -> None:
    """Draw a model."""
    graphacct.draw(graphacct.account(model, attention="eager", plugins=plugins), plugins=plugins)


def accounted(model: str, plugins: Plugins) -> None:
    """Account for a model whose attention is written out."""
    graphacct.account(model, attention="eager", plugins=plugins)


def message(tmp_path: Path, source: str, model: str = "gpt2", draw: bool = False) -> str:
    """The error that a plugin of this source ends in."""
    file = tmp_path / "faulty.py"
    file.write_text(source)
    with pytest.raises(GraphacctError) as caught:
        (pictured if draw else accounted)(model, load(files=[str(file)]))
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        ("graphacct.Work(vector_flops=1j)", "its formula gave 1j, which is no integer"),
        ("graphacct.Work(vector_flops='many')", "its formula gave 'many', which is no integer"),
        ("graphacct.Work(vector_flops=None)", "its formula gave None, which is no integer"),
        ("graphacct.Work(vector_flops=__import__('decimal').Decimal(4))", "which is no integer"),
        ("graphacct.Work(vector_flops=__import__('fractions').Fraction(1, 3))", "which is no integer"),
        ("graphacct.Work(vector_flops=__import__('sympy').Rational(1, 3))", "its formula gave 1/3"),
        ("graphacct.Work(matmul_flops=3)", "3 matmul_flops, an odd number: a multiply-add is 2"),
        ("graphacct.Work(read_bytes=-1)", "its formula gave -1"),
    ],
)
def test_a_formula_that_gives_no_count_is_an_error_that_names_the_node(
    tmp_path: Path, returned: str, says: str
) -> None:
    """Also where Python could go on: what it would add up to is no count."""
    text = message(tmp_path, OPERATOR.format(returned))
    assert "node 'transformer.h.*.attn.softmax', operator 'softmax' of plugin faulty" in text
    assert says in text


@pytest.mark.parametrize("number", ["__import__('numpy').int64(4)", "__import__('sympy').Integer(4)", "True + 3"])
def test_an_integer_of_another_library_becomes_a_plain_one(tmp_path: Path, number: str) -> None:
    """Every figure of a report on whole sizes is an int, which JSON can write: 4 in each of gpt2's 12 layers."""
    file = tmp_path / "integers.py"
    file.write_text(OPERATOR.format(f"graphacct.Work(vector_flops={number})"))
    report = graphacct.account("gpt2", attention="eager", plugins=load(files=[str(file)]))
    assert report["transformer.h.*.attn.softmax"].values["vector_flops"] == 48
    assert all(type(figure) is int for figure in report.total.values())


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        ("5", "returned 5, which is no Cost"),
        ("graphacct.Cost(matmul_flops=-2)", "a Cost with -2"),
        ("graphacct.Cost(vector_flops=1.5)", "a Cost with 1.5"),
        ("graphacct.Cost(vector_flops='a')", "a Cost with 'a', which is no integer"),
    ],
)
def test_a_hook_for_costs_that_gives_no_count_is_an_error_that_names_its_plugin(
    tmp_path: Path, returned: str, says: str
) -> None:
    """The plugin of the operator is not the one to blame."""
    text = message(tmp_path, NODE_COST.format(returned))
    assert "node 'transformer.wte', operator 'embedding': graphacct_node_cost (of faulty" in text
    assert says in text


@pytest.mark.parametrize("returned", ["graphacct.Cost(matmul_flops=-2)", "graphacct.Cost(vector_flops=1.5)"])
def test_a_convention_that_gives_no_count_is_an_error_that_names_it(tmp_path: Path, returned: str) -> None:
    """Conventions adjust costs, and what they give is a cost."""
    file = tmp_path / "faulty.py"
    file.write_text(CONVENTION.format(returned))
    with pytest.raises(GraphacctError, match=r"convention 'faulty' on node 'transformer.wte', .* a Cost with"):
        graphacct.account("gpt2", attention="eager", convention="faulty", plugins=load(files=[str(file)]))


@pytest.mark.parametrize(("returned", "says"), [("1 / 0", "ZeroDivisionError"), ("5", "returned 5")])
def test_a_style_hook_that_fails_is_an_error_that_names_its_plugin(tmp_path: Path, returned: str, says: str) -> None:
    """A picture is refused, not drawn without the style."""
    text = message(tmp_path, STYLE.format(returned), draw=True)
    assert "node 'transformer.wte': graphacct_node_style" in text
    assert says in text


@pytest.mark.parametrize(("returned", "says"), [("1 / 0", "ZeroDivisionError"), ("5", "returned 5, which is no Graph")])
def test_a_reader_that_fails_is_an_error_that_names_its_plugin(tmp_path: Path, returned: str, says: str) -> None:
    """What a reader raises on its own account has no meaning for who asked."""
    model = tmp_path / "model.other"
    model.write_text("")
    text = message(tmp_path, READER.format(returned), str(model))
    assert "reader 'faulty' of plugin faulty" in text
    assert says in text


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import sys; sys.exit(0)", "failed to load: SystemExit: 0"),
        (
            OPERATOR.replace("return [softmax]", "raise SystemExit"),
            "failed in graphacct_register_operators: SystemExit",
        ),
        ("graphacct_register_operators = 5", "is not marked"),
    ],
)
def test_a_plugin_cannot_end_the_program_in_silence(tmp_path: Path, source: str, says: str) -> None:
    """An exit with status 0 and no output would look like a report of nothing."""
    assert says in message(tmp_path, source)


def test_a_folder_is_no_plugin_file(tmp_path: Path) -> None:
    """It exists, so the message says what it is."""
    with pytest.raises(GraphacctError, match="is a folder: give the file in it"):
        load(files=[str(tmp_path)])


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (
            "graphacct_register_operators(): return 5",
            "in graphacct_register_operators: it returned 5, which is no list",
        ),
        (
            "graphacct_register_readers(): return [graphacct.Reader('odd', '', lambda path: True)]",
            "reader 'odd' has either read= or find=",
        ),
        (
            "graphacct_register_quantities(): return [graphacct.Quantity('x', 'byte', lambda r: 1, within='flop')]",
            "quantity 'x' of plugin faulty .* is within 'flop', which is no quantity; did you mean 'flops'",
        ),
        (
            "graphacct_register_quantities(): "
            "return [graphacct.Quantity('x', 'FLOP', lambda r: 1, forward_of='step_flop')]",
            "forward_of of quantity 'x' of plugin faulty .* is 'step_flop', which is no quantity; did you mean "
            r"'step_flops'\?: name the step's, or 'none' if there is none",
        ),
    ],
)
def test_what_is_registered_is_checked(tmp_path: Path, source: str, says: str) -> None:
    """A part of nothing, a reader that reads nothing: an error of the plugin, not a column that never shows."""
    file = tmp_path / "faulty.py"
    file.write_text(f"import graphacct\n@graphacct.hookimpl\ndef {source}\n")
    plugins = load(files=[str(file)])
    with pytest.raises(GraphacctError, match=says):
        _ = plugins.operators, plugins.readers, plugins.quantities


def test_what_a_reader_finds_is_checked(tmp_path: Path) -> None:
    """A reader of descriptions gives a name, an architecture and a configuration."""
    file = tmp_path / "faulty.py"
    file.write_text(READER.replace("lambda path, operators: {}", "find=lambda path, plugins: ('x', 3)"))
    with pytest.raises(GraphacctError, match=r"reader 'faulty' .* returned \('x', 3\), not a model's name"):
        graphacct.account(file, plugins=load(files=[str(file)]))
