"""`module:function` as a model: a function that returns a Graph."""

import sys

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


def test_a_function_of_a_file(tmp_path, monkeypatch):
    """FILE.py:function, with a path or from the folder itself; the file may import those beside it. It takes no
    installed module's name: a file may be called as one."""
    monkeypatch.setattr("sys.path", [*sys.path])
    (tmp_path / "nets.py").write_text(SOURCE)
    (tmp_path / "beside_it.py").write_text("SIZE = 5\n")
    (tmp_path / "json.py").write_text(
        "import beside_it, graphacct\ndef net():\n    b = graphacct.Builder('net')\n"
        "    return b.graph(b.apply('relu', b.input('x', (beside_it.SIZE,))))\n"
    )
    assert graphacct.account(f"{tmp_path}/nets.py:plain").total["vector_flops"] == 2 * 3
    assert graphacct.account(f"{tmp_path}/json.py:net", phase="train").total["step_flops"] == 5
    monkeypatch.chdir(tmp_path)
    assert graphacct.account("nets.py:plain").total["vector_flops"] == 2 * 3
    assert "dumps" in vars(__import__("json"))


def test_a_file_without_such_a_function(tmp_path, monkeypatch):
    """The file that is not there, the function that it has not, its own error."""
    monkeypatch.setattr("sys.path", [*sys.path])
    with pytest.raises(ReadError, match=r"missing\.py:net: no such file: '.*missing\.py'$"):
        graphacct.account(f"{tmp_path}/missing.py:net")
    (tmp_path / "broken.py").write_text("def net():\n    return 1 / 0\n")
    with pytest.raises(ReadError, match=r"broken\.py:net failed: ZeroDivisionError: division by zero"):
        graphacct.account(f"{tmp_path}/broken.py:net")
    with pytest.raises(ReadError, match=r"broken\.py:other failed: AttributeError: .* has no attribute 'other'"):
        graphacct.account(f"{tmp_path}/broken.py:other")
    with pytest.raises(ReadError, match=r"broken\.py' has no attribute 'other'; it has net$"):
        graphacct.account(f"{tmp_path}/broken.py:other")
    with pytest.raises(ReadError, match=r"broken\.py' is Python code: name a function .*, as .*broken\.py:function$"):
        graphacct.account(f"{tmp_path}/broken.py")
    (tmp_path / "typo.py").write_text("def net(:\n")
    with pytest.raises(ReadError, match=r"typo\.py:net failed: SyntaxError: .*typo\.py, line 1"):
        graphacct.account(f"{tmp_path}/typo.py:net")
