"""The public names and the verbs' keywords."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import attrs
import pytest
from each import each

import graphacct
from graphacct import ConfigError, Workload
from graphacct.keywords import DEFAULTS, AccountKeywords
from graphacct.training.options import TrainingOptions

VERBS = (
    "account",
    "build",
    "compare",
    "diff",
    "draw",
    "explain",
    "load",
    "memory",
    "params",
    "save",
    "solve",
    "sweep",
    "verify",
)


def test_type_checkers_see_the_same_names():
    """`__init__.pyi` has each exported name from the module that the table gives, and no other."""
    stub = ast.parse(Path(graphacct.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    told = {
        (str(item.module), alias.asname)
        for item in stub.body
        if isinstance(item, ast.ImportFrom) and item.module != "typing"
        for alias in item.names
    }
    assert told == {
        (f"graphacct.{module}", name) for module, names in graphacct.NAMES.items() for name in names.split()
    }


@each("name", graphacct.__all__)
def test_every_exported_name_is_there(name):
    """Names are imported when they are first asked for: each of them can be, and is its module's."""
    module = next(module for module, names in graphacct.NAMES.items() if name in names.split())
    found = getattr(graphacct, name)
    assert getattr(import_module(f"graphacct.{module}"), name) is found


def test_a_name_that_is_not_exported_is_an_attribute_error():
    """As of any module."""
    with pytest.raises(AttributeError, match="no attribute 'acount'"):
        graphacct.acount  # noqa: B018


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_have_named_keywords(verb):
    """No verb takes whatever it is given: help() and editors list each keyword."""
    kinds = {item.kind for item in inspect.signature(getattr(graphacct, verb)).parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds


@pytest.mark.parametrize(
    "verb", ["account", "build", "compare", "diff", "draw", "explain", "memory", "params", "solve", "sweep", "verify"]
)
def test_an_unknown_keyword_is_answered_with_the_closest(verb):
    """As a misspelt option of the command line is."""
    with pytest.raises(TypeError, match=rf"^{verb}\(\) has no keyword 'plugin'; did you mean 'plugins'\?$"):
        getattr(graphacct, verb)("gpt2", plugin=None)


def test_a_misspelt_size_is_answered_with_the_closest():
    """Sizes are keywords of the verbs that build a model."""
    for verb in (graphacct.account, graphacct.build, graphacct.memory):
        with pytest.raises(TypeError, match="has no keyword 'seqlen'; did you mean 'seq_len'"):
            verb("gpt2", seqlen=128)


def test_the_keywords_are_the_fields_that_they_fill_in():
    """What Workload and TrainingOptions have is what the verbs take, with the same defaults."""
    for kind in (Workload, TrainingOptions):
        for field in attrs.fields(kind):
            assert field.name in AccountKeywords.__annotations__
            assert field.default == DEFAULTS.get(field.name), field.name


def test_verbs_take_a_model_in_place_of_a_report(tmp_path):
    """A model is accounted for with the default options."""
    report = graphacct.account("gpt2")
    assert graphacct.explain("gpt2", "lm_head", "flops") == graphacct.explain(report, "lm_head", "flops")
    assert graphacct.params("gpt2") == report.by_parameter
    assert len(graphacct.params("gpt2", expand=True)) == 148 + 1  # 12 layers of 12, wte, wpe, 2 of ln_f; the tied head
    assert graphacct.draw("gpt2", depth=1).source == graphacct.draw(report, depth=1).source
    assert graphacct.compare("gpt2", "gpt2-xl", depth=1).records()[0]["path"] == "transformer"


def test_a_training_option_elsewhere_names_the_way_out():
    """The message names the option as Python has it."""
    with pytest.raises(ConfigError, match="optimizer: of a training step alone"):
        graphacct.account("gpt2", optimizer="sgd")


@pytest.mark.parametrize("verb", ["account", "build", "memory"])
def test_a_model_may_be_any_object_to_a_type_checker(verb):
    """Only the readers know what they take, so `account(networkx_graph)` must be no error of types."""
    assert inspect.unwrap(getattr(graphacct, verb)).__annotations__["model"] == "Model"
    assert import_module("graphacct.verbs.model").Model is object
