"""A bare name, a list and all-linear adapt the matrices that the peft library adapts."""

import json
from pathlib import Path
from typing import Any

import pytest
from each import each

import graphacct
from graphacct.errors import ConfigError

FOLDER = Path(__file__).parents[3] / "tests" / "goldens" / "lora-targets"
TRUTH = json.loads((FOLDER / "truth.json").read_text())
"""Measured by tests/verify/lora_targets.py."""
KNOWN = {("MixtralForCausalLM", "all-linear")}
"""What peft adapts besides matrices: it knows Mixtral's stacked experts and router by name."""


def runs() -> list[Any]:
    """Each measured list of targets that peft takes."""
    found = []
    for run in TRUTH["runs"]:
        [name] = run["config"]["architectures"]
        found += [
            pytest.param(run["config"], targets, trained, id=f"{name}-{targets}")
            for targets, trained in run["trained"].items()
            if type(trained) is int and (name, targets) not in KNOWN
        ]
    assert len(found) > 40
    return found


@each("config, targets, trained", runs())
def test_the_adapters_are_those_of_peft(config: dict[str, Any], targets: str, trained: int) -> None:
    """Their parameters, to the unit: names are exact or the end of a path after a dot."""
    sizes = {} if config["model_type"] == "vit" else {"seq_len": 8}
    asked = [f"{TRUTH['rank']}:{targets}"]
    base, adapted = (graphacct.account(config, lora=lora, **sizes).total["params"] for lora in ((), asked))
    assert adapted - base == trained


def error(targets: str, model: str = "llama-3.2-1b") -> str:
    with pytest.raises(ConfigError) as caught:
        graphacct.build(model, seq_len=8, lora=[targets])
    return str(caught.value)


def test_what_a_name_does_not_match() -> None:
    """The end of a path has whole words; the message suggests one."""
    assert error("8:proj") == "lora '8:proj' matches no weight matrix; did you mean 'v_proj'?"
    assert error("8:Q_proj").endswith("matches no weight matrix; did you mean 'q_proj'?")
    assert error("8:q_prj").endswith("matches no weight matrix; did you mean 'q_proj'?")
    assert error("8:q_proj,v_prj").endswith("matches no weight matrix: 'v_prj'; did you mean 'v_proj'?")
    assert error("8:attn.q_proj").endswith("did you mean 'self_attn.q_proj'?")
    for text in (".*(q_proj|v_proj)", "['q_proj','v_proj']", "q_proj:v_proj", "q_proj v_proj"):
        assert error(f"8:{text}").endswith("matches no weight matrix; did you mean 'q_proj,v_proj'?")
    assert error("8:layers.*.q_proj").endswith("did you mean 'q_proj'?")  # the path begins with model.
    assert "did you mean 'q_proj'" not in error("8:model.layers.99.self_attn.q_proj")
    assert "'transformer.wte' is of 'embedding', no product with a matrix" in error("8:wte", "gpt2")
    assert "is of 'embedding', no product with a matrix" in error("8:wpe", "gpt2")


def test_all_linear_stands_alone() -> None:
    """In any case, and with no other name."""
    assert "no other name goes with it" in error("8:all-linear,q_proj")
    lower, upper = (graphacct.account("gpt2", lora=[f"8:{name}"]) for name in ("all-linear", "All-Linear"))
    assert lower.total == upper.total


ONE_LAYER = ("8:layers.3.self_attn.q_proj",)


def test_a_name_may_be_of_one_layer() -> None:
    """As in peft, an index is part of the path: one layer of the 16 is adapted, 8 x (2048 + 2048)."""
    base, one = (
        graphacct.account("llama-3.2-1b", seq_len=8, lora=lora) for lora in ((), "8:layers.3.self_attn.q_proj")
    )
    assert one.total["params"] - base.total["params"] == 8 * (2048 + 2048)


def test_a_transform_takes_several() -> None:
    """In the text of a transform a comma separates options, so each name is one of the adapters."""
    text = "lora:adapters=8:q_proj,adapters=8:v_proj"
    short, long = (
        graphacct.account("llama-3.2-1b", seq_len=8, **options)
        for options in ({"lora": ["8:q_proj,v_proj"]}, {"transforms": [text]})
    )
    assert short.total == long.total


def test_all_linear_of_symbols_and_of_nothing() -> None:
    """An output embedding is one under symbolic sizes too; a graph without a linear layer is an error."""
    import sympy

    rows = sympy.Symbol("v", positive=True, integer=True)
    base, adapted = (
        graphacct.account("gpt2", seq_len=8, set={"vocab_size": rows}, lora=lora).total["params"]
        for lora in ((), ["8:all-linear"])
    )
    plain = [graphacct.account("gpt2", seq_len=8, lora=lora).total["params"] for lora in ((), ["8:all-linear"])]
    assert adapted - base == plain[1] - plain[0]
    b = graphacct.Builder("plain")
    graph = b.graph(b.apply("relu", b.input("x", (2, 3))))
    with pytest.raises(ConfigError, match="matches no weight matrix: 'plain' has no linear layer"):
        graphacct.build(graph, lora=["8:all-linear"])
