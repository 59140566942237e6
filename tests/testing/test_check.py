"""`graphacct plugins check`: what is wrong with a plugin, in a line each, and exit status 1."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from graphacct.cli import cli

SOUND = '''
from graphacct import Work, hookimpl, operator

@operator("x: ... k, w: k n, b?: n -> ... n", contracts=("x", "w"), gradients={"b": lambda batch, n: Work()})
def product(batch, n, b):
    """x w + b. 2 FLOPs per multiply-add, 1 per output for the bias."""
    return Work(vector_flops=batch * n if b else 0)

@hookimpl
def graphacct_register_operators():
    return [product]
'''
WRONG = '''
import graphacct
from graphacct import Work

@graphacct.operator("x: ... -> ...", gradients={"x": lambda batch: Work()})
def clipped(batch):
    """min(x, 4). 1 per element."""
    return Work(vector_flops=max(batch, 4))

@graphacct.operator("x: ... -> ...")
def keyed(*, key):
    """x of a key. No arithmetic."""
    return Work()

@graphacct.hookimpl
def graphacct_register_operators():
    return [clipped, keyed]

@graphacct.hookimpl
def graphacct_register_devices():
    return [graphacct.Device("mine", 2**30, "my notes")]
'''


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """Write files and check one of them, or the folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def run(path: str, **files: str) -> Result:
        for name, text in files.items():
            file = tmp_path / (name.replace("__", "/") + (".toml" if name.endswith("pyproject") else ".py"))
            file.parent.mkdir(exist_ok=True, parents=True)
            file.write_text(text)
        return CliRunner().invoke(cli, ["plugins", "check", path])

    return run


def test_a_sound_file(check: object) -> None:
    done = check("sound.py", sound=SOUND)  # type: ignore[operator]
    assert done.output == "right  operator product: 9 tests, with operands or models that were made up\n"
    assert done.exit_code == 0


def test_a_file_with_faults(check: object) -> None:
    """Each fault is a line that says what to do; the tests of what is right are counted."""
    done = check("wrong.py", wrong=WRONG)  # type: ignore[operator]
    assert done.exit_code == 1
    *lines, device = done.stdout.splitlines()
    assert device == "right  device mine: 4 tests, with operands or models that were made up"
    assert [line.partition(": ")[0] for line in lines] == ["wrong  operator clipped"] * 2 + ["wrong  operator keyed"]
    assert "test_symbols_agree_with_ints: [(2, 3)] raises TypeError with a symbol as size" in lines[1]
    assert lines[2].endswith("needs a contract, as its rows cannot be made up: class TestKeyed(OperatorContract)")
    assert done.stderr == "graphacct: wrong.py: 3 problems, above\n"


FAILING = """
import attrs
from graphacct import Architecture, Work, fields, hookimpl, operator

@operator("x: ... -> ...")
def none(batch):
    \"\"\"x. 1 per element.\"\"\"
    return 12

@operator("x: ... -> ...", infer=lambda x: 1 / 0)
def broken(batch):
    \"\"\"x. 1 per element.\"\"\"
    return Work()

@hookimpl
def graphacct_register_operators():
    return [none, broken]

@attrs.frozen
class Config:
    width: int = fields.size(4)

def build(config, workload, b):
    raise ValueError("no")

@hookimpl
def graphacct_register_architectures():
    return [Architecture("failing", Config, build, {}, {}, doc="A model that fails.")]
"""


def test_code_that_fails_is_one_line_each(check: object) -> None:
    """One fault fails many tests, and is said once."""
    done = check("failing.py", failing=FAILING)  # type: ignore[operator]
    assert done.exit_code == 1
    none, broken, failing = done.stdout.splitlines()
    assert none.endswith(
        "[(2, 3)] does not fit: its formula returned 12; a formula returns Work(...). Mend the row, or the operator."
    )
    assert broken.endswith(
        "[(2, 3)] failed: ZeroDivisionError: division by zero at failing.py:10. Mend the formula, or infer=."
    )
    assert "architecture failing: test_" in failing
    assert "PluginError: architecture 'failing' failed: ValueError: no at failing.py:" in failing


def test_tests_without_contracts_are_not_run_and_may_share_modules(check: object) -> None:
    files = {
        "pyproject": PROJECT.format(module="checked_four"),
        "checked_four": SOUND,
        "tests__shared_rows": "FLOPS = 420\n",
        "tests__test_one": "from shared_rows import FLOPS\n" + TESTS.format(module="checked_four", flops="FLOPS"),
        "tests__test_two": "raise SystemExit\n",
    }
    done = check(".", **files)  # type: ignore[operator]
    assert done.output == "right  pyproject.toml: 6 tests\nright  operator product: 9 tests\n"


def test_what_is_no_plugin(check: object) -> None:
    done = check("empty.py", empty="x = 1\n")  # type: ignore[operator]
    assert "wrong  empty: implements no hook: a function graphacct_register_… with @graphacct.hookimpl" in done.output
    done = check("idle.py", idle=SOUND.replace("[product]", "[]"))  # type: ignore[operator]
    assert done.stdout == "wrong  idle: registers nothing: its hooks return empty lists\n"
    for path, says in [
        ("gone.py", "plugin file 'gone.py' does not exist"),
        (".", "has no pyproject.toml, so it is no distribution: name a plugin's file"),
    ]:
        done = check(path)  # type: ignore[operator]
        assert done.exit_code == 1
        assert says in done.output


PROJECT = """
[project]
name = "graphacct-checked"
version = "1.0"
description = "For a test."
dependencies = ["graphacct"]

[project.entry-points.graphacct]
graphacct-checked = "{module}"
"""
TESTS = """
from {module} import product
from graphacct.testing import OperatorContract, Row

class TestProduct(OperatorContract):
    operator = product
    rows = [Row([(2, 3, 5), (5, 7)], matmul_flops={flops})]
"""


def test_the_contract_in_its_tests_is_the_one_that_counts(check: object) -> None:
    files = {
        "pyproject": PROJECT.format(module="checked_one"),
        "checked_one": SOUND,
        "tests__test_one": TESTS.format(module="checked_one", flops=2 * 2 * 3 * 5 * 7),
    }
    done = check(".", **files)  # type: ignore[operator]
    assert done.output == "right  pyproject.toml: 6 tests\nright  operator product: 9 tests\n"
    # another length: Python takes a file of the same second and length for the one that it has compiled
    files["tests__test_one"] = TESTS.format(module="checked_one", flops=4201)
    done = check(".", **files)  # type: ignore[operator]
    assert (
        "test_rows_state_what_it_costs: matmul_flops of [(2, 3, 5), (5, 7)] is 420, and the row says 4201"
        in done.output
    )


def test_a_project_with_faults(check: object) -> None:
    project = (
        '[project]\nname = "mine"\ndynamic = ["version"]\n[project.entry-points.graphacct]\nmine = "checked_two"\n'
    )
    done = check(
        ".", pyproject=project, checked_two=SOUND, tests__test_two="import graphacct.testing, no_such_module\n"
    )  # type: ignore[operator]
    problems = [line.partition(": ")[2] for line in done.stdout.splitlines() if line.startswith("wrong")]
    assert problems[0] == "[project] has no description: pip and `graphacct plugins` show it"
    assert problems[1] == 'dependencies do not name graphacct: dependencies = ["graphacct"]'
    assert problems[2].startswith("tests/test_two.py failed: ModuleNotFoundError: No module named 'no_such_module'")
    done = check(".", pyproject='[project]\nname = "mine"\n')  # type: ignore[operator]
    assert "no entry point: add [project.entry-points.graphacct] with NAME = MODULE" in done.output
    done = check(".", pyproject="[project\n")  # type: ignore[operator]
    assert "pyproject.toml: cannot be read: " in done.output
    done = check(".", pyproject="[tool]\n")  # type: ignore[operator]
    assert "pyproject.toml: has no table [project]" in done.output


def test_an_entry_point_that_leads_nowhere(check: object) -> None:
    done = check(".", pyproject=PROJECT.format(module="no_such_module_at_all"))  # type: ignore[operator]
    assert done.output == (
        "graphacct: plugin 'graphacct-checked': no_such_module_at_all cannot be imported: ModuleNotFoundError: No "
        "module named 'no_such_module_at_all'\n"
    )


def test_a_plugin_that_is_installed_from_elsewhere(check: object) -> None:
    project = PROJECT.format(module="checked_three").replace("graphacct-checked", "graphacct-vision")
    done = check(".", pyproject=project, checked_three=SOUND)  # type: ignore[operator]
    assert "another plugin 'graphacct-vision' is installed, of graphacct 0.1.0: uninstall it" in done.output


PROFILE = """
import graphacct

@graphacct.hookimpl
def graphacct_register_profiles():
    return [graphacct.Profile("nonsense", "One kernel for each operator.", {rules})]
"""


@pytest.mark.parametrize(
    ("rules", "problem"),
    [
        ("saves={'relu': 'x'}", "saves of 'relu' is 'x', not a tuple of graphacct.Saved"),
        ("saves=3", "saves is 3, not a mapping by operator"),
        ("expand={'relu': 3}", "expand of 'relu' is 3, not a function that records kernels"),
        ("kernels={'mine': 'relu'}", "kernels of 'mine' is 'relu', not an operator"),
        ("casts={'linear': 'float17'}", "casts of 'linear' is 'float17', not a dtype of floating-point numbers or"),
        ("names='torch'", "names is 'torch', not a graphacct.KernelNames"),
        ("write_out=4", "write_out is 4, not a function"),
        ("expand={'silu': lambda *given: None}", "operator 'silu': expand of profile 'nonsense' returned None, not a"),
        ("expand={'silu': lambda trace, x: (x, x)}", "returned 2 outputs, not a graphacct.Tensor"),
        ("expand={'tanh': lambda trace, x: trace.apply('nothing', x)}", "'tanh': unknown operator 'nothing'"),
        ("backward={'silu': lambda trace, g, x: trace.nw(x)}", "'silu' failed: AttributeError: "),
    ],
)
def test_a_profile_s_rules_are_tried(rules: str, problem: str, tmp_path: Path) -> None:
    """Those of another kind than their table has are errors as they are registered; the others run, each on an operator
    alone, also where no model has it."""
    file = tmp_path / "nonsense.py"
    file.write_text(PROFILE.format(rules=rules))
    done = CliRunner().invoke(cli, ["plugins", "check", str(file)])
    assert done.exit_code == 1
    assert problem in done.output
    assert "Traceback" not in done.output
