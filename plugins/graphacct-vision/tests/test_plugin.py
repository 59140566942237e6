"""The plugin as a plugin: found by entry point, through public names only, and the core knows nothing of it."""

import ast
from pathlib import Path

import graphacct_vision
import pytest

import graphacct
import graphacct.models.config
from graphacct.hooks.manager import default, load

PACKAGE = Path(graphacct_vision.__file__).parent
FILES = sorted(PACKAGE.glob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_file_imports_public_names_only(file: Path) -> None:
    """Every import from graphacct is a name of graphacct.__all__ or a field of graphacct.config."""
    fields = {name for name in vars(graphacct.config) if not name.startswith("_")}
    public = {"graphacct": set(graphacct.__all__), "graphacct.config": fields, "graphacct.deferred": {"Deferred"}}
    for statement in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(statement, ast.ImportFrom):
            module = statement.module or ""
            if module.split(".")[0] == "graphacct":
                assert module in public, f"{file.name} imports from {module}"
                assert {alias.name for alias in statement.names} <= public[module]
        elif isinstance(statement, ast.Import):
            assert not any(alias.name.split(".")[0] == "graphacct" for alias in statement.names)


def test_the_imports_are_looked_for_where_they_are() -> None:
    """The package has the files that the test above reads, and they do import graphacct."""
    assert {file.name for file in FILES} >= {
        "__init__.py",
        "convnext.py",
        "hf_resnet.py",
        "normalization.py",
        "pooling.py",
        "resnet.py",
    }
    assert sum("from graphacct import" in file.read_text(encoding="utf-8") for file in FILES) == len(FILES)


def test_it_is_found_by_its_entry_point() -> None:
    """The installed distribution is loaded without being named, and says which distribution it is."""
    plugin = next(plugin for plugin in default().loaded if plugin.name == "graphacct-vision")
    assert plugin.module is graphacct_vision
    assert plugin.origin == f"graphacct-vision {graphacct.__version__}"


def test_the_core_does_without_it() -> None:
    """With the plugin left out, its operators and its architecture are unknown and everything else is as before."""
    without = load(block=["graphacct-vision"])
    added = default().operators.keys() - without.operators.keys()
    assert added == {"batch_norm", "max_pool", "avg_pool", "adaptive_avg_pool"}
    assert default().architectures.keys() - without.architectures.keys() == {"resnet", "hf-resnet", "convnext"}
    with pytest.raises(graphacct.GraphacctError, match="unknown model 'resnet50'"):
        graphacct.build("resnet50", plugins=without)


def test_no_file_of_the_core_names_it() -> None:
    """Nothing in the framework or in graphacct-operators is there for this plugin."""
    core = Path(graphacct.__file__).parent
    sources = [file.read_text(encoding="utf-8").lower() for file in core.rglob("*.py")]
    assert len(sources) > 10
    assert not [text for text in sources if "graphacct_vision" in text or "batch_norm" in text or "resnet" in text]
