"""The plugin as a plugin: found by its entry point, and the core knows nothing of it."""

from pathlib import Path

import graphacct_vision
import pytest

import graphacct
from graphacct.hooks.manager import default, load


def test_it_is_found_by_its_entry_point() -> None:
    """The installed distribution is loaded without being named, and says which distribution it is."""
    plugin = next(plugin for plugin in default().loaded if plugin.name == "graphacct-vision")
    assert plugin.module is graphacct_vision
    assert plugin.origin == f"graphacct {graphacct.__version__}"


def test_the_core_does_without_it() -> None:
    """With the plugin left out, its operators and its architecture are unknown and everything else is as before."""
    without = load(block=["graphacct-vision"])
    added = default().operators.keys() - without.operators.keys()
    assert added == {name for names in graphacct_vision.OPERATORS.values() for name in names.split()}
    assert {"batch_norm", "max_pool", "upsample_nearest", "grid_sampler"} <= added
    assert default().architectures.keys() - without.architectures.keys() == {
        item.name for item in graphacct_vision.FAMILIES
    }
    with pytest.raises(graphacct.GraphacctError, match="unknown model 'resnet50'"):
        graphacct.build("resnet50", plugins=without)


def test_no_file_of_the_core_names_it() -> None:
    """Nothing in the framework or in graphacct-operators is there for this plugin."""
    core = Path(graphacct.__file__).parent
    sources = [file.read_text(encoding="utf-8").lower() for file in core.rglob("*.py")]
    assert len(sources) > 10
    assert not [text for text in sources if "graphacct_vision" in text or "batch_norm" in text or "resnet" in text]
