"""What holds for the package and its documented factors; test_three_worlds.py has the contract of each operator."""

import ast
import importlib
import re
import sys
from pathlib import Path

import graphacct_operators
from each import each
from graphacct_operators import (
    activation,
    arithmetic,
    comparison,
    elementary,
    elementwise,
    quantities,
    shrinking,
    special,
)

import graphacct
from graphacct import TensorSpec

PACKAGE = Path(graphacct_operators.__file__).parent
README = Path(__file__).parents[1] / "README.md"
OPERATORS = {op.name: op.load() for op in graphacct_operators.graphacct_register_operators()}
KERNELS = ("torch_attention", "torch_quantised")
"""Modules whose operators a profile has, and no graph."""
PER_ELEMENT = re.compile(r"\b(\d+) (?:comparison |addition )?per (?:output )?element")


def test_every_family_registers_its_operators_once():
    """The index has each operator of each module by its name and no other, and none twice."""
    names = [op.name for op in graphacct_operators.graphacct_register_operators()]
    assert len(names) == len(set(names))
    for module, listed in graphacct_operators.OPERATORS.items():
        family = importlib.import_module(f"graphacct_operators.{module}")
        there = [item.name for item in vars(family).values() if isinstance(item, graphacct.Operator)]
        assert listed.split() == there
    written = {file.stem for file in PACKAGE.glob("*.py") if "\n@operator(" in file.read_text(encoding="utf-8")}
    assert {*graphacct_operators.OPERATORS, *KERNELS} == written


def test_quantities_know_their_operators_by_name():
    """A quantity that is of some operators names those that exist."""
    assert {*quantities.EXPERTS, quantities.KEEP} <= {*OPERATORS}


@each(
    "op",
    [
        op
        for family in (elementwise, activation, arithmetic, elementary, special, comparison, shrinking)
        for op in vars(family).values()
        if isinstance(op, graphacct.Operator) and op.name not in ("pow", "rotary_embedding", "glu")
    ],
)
def test_documented_factor_is_the_one_counted(op):
    """On 7 · 11 = 77 elements an element-wise operator counts 77 times the first factor that its docstring names."""
    specs = [TensorSpec((7, 11)) for _ in op.signature.inputs]
    attributes = {"p": 0.1} if "p" in op.attributes else {}
    stated = PER_ELEMENT.search(op.doc)
    assert stated is not None, op.doc
    assert op.apply(specs, attributes).cost.vector_flops == 77 * int(stated[1])


def test_readme_names_every_operator():
    """The README's table of operators is complete, and names no operator that is gone."""
    table = README.read_text().partition("| file | operators |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = table.splitlines()
    names = {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[2])}
    assert names == set(OPERATORS)


@each("file", sorted(PACKAGE.glob("*.py")))
def test_imports_public_names_only(file):
    """The package is written as a stranger would write it: graphacct's public names, itself, the standard library."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            modules, names = [alias.name for alias in node.names], []
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "write the package's name out"
            modules, names = [node.module], [alias.name for alias in node.names]
        else:
            continue
        for module in modules:
            top = module.partition(".")[0]
            assert top in {"graphacct", "graphacct_operators"} or top in sys.stdlib_module_names, module
            if top == "graphacct":
                assert module == "graphacct", f"{module} is not public"
                assert set(names) <= set(graphacct.__all__)
