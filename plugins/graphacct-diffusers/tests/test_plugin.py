"""The plugin as a plugin: found by its entry point; what it names lazily is there."""

import graphacct_diffusers
import pytest

import graphacct
from graphacct.hooks.manager import default, load


def test_it_is_found_by_its_entry_point() -> None:
    """The installed distribution is loaded without being named."""
    plugin = next(plugin for plugin in default().loaded if plugin.name == "graphacct-diffusers")
    assert plugin.module is graphacct_diffusers
    assert plugin.origin == f"graphacct {graphacct.__version__}"


def test_the_others_do_without_it() -> None:
    """With the plugin left out, its families are unknown, and its files are said to be what they are."""
    without = load(block=["graphacct-diffusers"])
    names = {family.name for family in graphacct_diffusers.FAMILIES}
    assert default().architectures.keys() - without.architectures.keys() == names
    with pytest.raises(graphacct.GraphacctError, match="a part of a diffusers pipeline"):
        graphacct.account({"_class_name": "AutoencoderKL", "model_type": "x"}, plugins=without)


@pytest.mark.parametrize("family", graphacct_diffusers.FAMILIES, ids=lambda family: family.name)
def test_the_names_are_the_modules(family: graphacct.LazyArchitecture) -> None:
    """What is declared without an import is what the module says; every preset builds."""
    found = family.load()
    assert (found.name, found.model_types, set(found.presets)) == (family.name, family.model_types, set(family.presets))
    assert found.doc.endswith(".")
    for preset in found.presets:
        assert found.preset_keys(preset).not_understood == ()
