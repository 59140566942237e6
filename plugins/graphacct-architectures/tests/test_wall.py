"""The wall: families import public names alone, wherever in a file they do it."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import graphacct_architectures
import pytest
from graphacct_architectures import decoders

PLUGINS = Path(__file__).parents[2]
OURS = "graphacct_architectures"
OPEN = {
    f"{OURS}.{name}"
    for name in (
        "activations",
        "aliases",
        "decoders",
        "derived",
        "encoders.text_model",
        "encoders.unpooled",
        "heads",
        "layers",
        "losses",
        "multimodal",
        "residing",
        "tower",
        "vision.patched",
        "vit_layers",
    )
}
"""The modules of graphacct_architectures that other plugins write families with."""
STRANGERS = ["graphacct_vision", "graphacct_mamba", "graphacct_diffusers"]


def files(package: str) -> list[Path]:
    return sorted((PLUGINS / package.replace("_", "-") / package).rglob("*.py"))


@cache
def imports(file: Path) -> list[tuple[str, str]]:
    """Each module that a file imports with each name that it takes of it, in functions and for types too."""
    return [*_imports(file)]


def _imports(file: Path) -> Iterator[tuple[str, str]]:
    for statement in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.ImportFrom):
            assert statement.level == 0, f"{file} has a relative import"
            yield from ((statement.module or "", alias.name) for alias in statement.names)
        elif isinstance(statement, ast.Import):
            yield from ((alias.name, "") for alias in statement.names)


def of(root: str, package: str) -> list[tuple[Path, str, str]]:
    """What the files of a package import of another."""
    return [(file, *one) for file in files(package) for one in imports(file) if one[0].split(".")[0] == root]


@pytest.mark.parametrize("package", [OURS, *STRANGERS])
def test_of_the_framework_only_what_it_exports(package: str) -> None:
    """`from graphacct import NAME`, a name of `graphacct.__all__`: no module of the framework."""
    import graphacct

    found = of("graphacct", package)
    assert len(found) > 20
    assert {(str(file), module) for file, module, _ in found if module != "graphacct"} == set()
    assert {name for _, _, name in found} <= set(graphacct.__all__)


@pytest.mark.parametrize("package", STRANGERS)
def test_of_the_families_only_what_is_open(package: str) -> None:
    """Other plugins take no file of a family or of its parts, and no private name."""
    found = of(OURS, package)
    assert found
    for file, module, name in found:
        assert module in OPEN, f"{file} imports {module}"
        assert not name.startswith("_")
        assert hasattr(importlib.import_module(module), name)


def test_families_import_no_operators() -> None:
    """Operators are applied by name: whichever plugin registered them."""
    assert of("graphacct_operators", OURS) == []


def test_the_index_imports_no_family() -> None:
    """The package itself, which every command loads, imports the framework's public names, and of its own what families
    under another name and other formats' keys are made of."""
    index = Path(graphacct_architectures.__file__)
    own = {module for module, _ in imports(index) if module.startswith("graphacct")}
    assert own == {"graphacct", f"{OURS}.namesakes", f"{OURS}.relatives", f"{OURS}.translations", f"{OURS}.twins"}


def test_what_decoders_hand_on_is_there() -> None:
    """Each name of `decoders` is in the file that is imported for it, as the annotations say."""
    for name in decoders.__all__:
        assert getattr(decoders, name) is not None
    told = {(name, module) for module, name in imports(Path(decoders.__file__)) if module.startswith(OURS)}
    assert {name for name, _ in told} == set(decoders.__all__)
    assert dict(told) == {
        name: f"{OURS}.decoders.parts.{decoders.FILES.get(name, 'description')}" for name in decoders.__all__
    }
    with pytest.raises(AttributeError, match="has no attribute 'Encoder'"):
        decoders.Encoder  # type: ignore[attr-defined]  # noqa: B018
