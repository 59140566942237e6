"""`module:function` as a model: a function that returns a Graph."""

import pytest

import graphacct
from graphacct.errors import ReadError
from graphacct.hooks.manager import load

SOURCE = """
import graphacct

def plain():
    b = graphacct.Builder("plain")
    return b.graph(b.apply("relu", b.input("x", (2, 3))))

def with_plugins(operators):
    b = graphacct.Builder("own", operators)
    return b.graph(b.apply("cube", b.input("x", (2, 3))))

def nothing():
    return None
"""
PLUGIN = '''
import graphacct

@graphacct.operator("x: ... -> ...")
def cube(batch):
    """x³. 2 per element: two products."""
    return graphacct.Work(vector_flops=2 * batch)

@graphacct.hookimpl
def graphacct_register_operators():
    return [cube]
'''


@pytest.fixture
def nets(tmp_path, monkeypatch):
    (tmp_path / "nets_of_a_test.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(tmp_path)
    return "nets_of_a_test"


def test_a_function_makes_the_model(nets):
    """Its graph is accounted as any; a Builder without operators has those of the installed plugins."""
    assert graphacct.account(f"{nets}:plain").total["vector_flops"] == 2 * 3


def test_a_function_can_ask_for_the_operators_in_use(nets, tmp_path):
    """With an argument `operators` it gets those of plugins that are given for one call."""
    file = tmp_path / "cubes.py"
    file.write_text(PLUGIN)
    report = graphacct.account(f"{nets}:with_plugins", plugins=load(files=[file]))
    assert report.total["vector_flops"] == 2 * 2 * 3
    with pytest.raises(ReadError, match="with_plugins failed: UnknownNameError: node 'cube': unknown operator 'cube'"):
        graphacct.account(f"{nets}:with_plugins")


def test_a_function_that_makes_no_graph_is_named(nets):
    """What it returned instead, or that there is no such function."""
    with pytest.raises(ReadError, match="nothing returned NoneType, not a Graph"):
        graphacct.account(f"{nets}:nothing")
    with pytest.raises(ReadError, match="has no attribute 'other'"):
        graphacct.account(f"{nets}:other")
