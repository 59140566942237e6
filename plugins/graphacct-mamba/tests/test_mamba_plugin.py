"""The plugin as a plugin: found by its entry point, and the core knows nothing of it."""

import importlib
from pathlib import Path

import graphacct_mamba
import pytest

import graphacct
from graphacct.hooks.manager import default, load


def test_it_is_found_by_its_entry_point() -> None:
    """The installed distribution is loaded without being named, and says which distribution it is."""
    plugin = next(plugin for plugin in default().loaded if plugin.name == "graphacct-mamba")
    assert plugin.module is graphacct_mamba
    assert plugin.origin == f"graphacct {graphacct.__version__}"


def test_the_core_does_without_it() -> None:
    """With the plugin left out, its operators and families are unknown and everything else is as before."""
    without = load(block=["graphacct-mamba"])
    added = default().operators.keys() - without.operators.keys()
    assert added == {name for names in graphacct_mamba.OPERATORS.values() for name in names.split()}
    assert {"selective_scan", "delta_chunks", "recurrent_state"} < added
    families = default().architectures.keys() - without.architectures.keys()
    assert families == set(graphacct_mamba.FILES) > {"mamba", "mamba2", "jamba", "qwen3_next"}
    with pytest.raises(graphacct.GraphacctError, match="unknown model 'mamba-130m'"):
        graphacct.build("mamba-130m", plugins=without)


def test_no_file_of_the_core_names_it() -> None:
    """Nothing in the framework or in graphacct-operators is there for this plugin."""
    core = Path(graphacct.__file__).parent
    operators = core.parent / "plugins" / "graphacct-operators" / "graphacct_operators"
    sources = [file.read_text(encoding="utf-8").lower() for root in (core, operators) for file in root.rglob("*.py")]
    assert len(sources) > 10
    assert not [text for text in sources if "mamba" in text or "selective_scan" in text]


def test_deferred_families_answer_to_their_names() -> None:
    """What the plugin says before a family's module is imported is what the module has."""
    for item in graphacct_mamba.FAMILIES:
        found = item.load()
        assert (item.name, item.model_types) == (found.name, found.model_types)
        assert set(item.presets) == set(found.presets)


def test_deferred_operators_answer_to_their_names() -> None:
    """The index of operators has what the modules have."""
    for module, names in graphacct_mamba.OPERATORS.items():
        items = vars(importlib.import_module(f"graphacct_mamba.{module}")).values()
        assert names.split() == [item.name for item in items if isinstance(item, graphacct.Operator)]
