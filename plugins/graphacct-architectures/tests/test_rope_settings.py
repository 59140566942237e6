"""Settings of rotary positions: kinds and keys of the transformers library, and no nonsense in any family."""

from __future__ import annotations

from functools import cache
from typing import Any

import attrs
import pytest

import graphacct
from graphacct.errors import ConfigError, ReadError
from graphacct.hooks.manager import default

YARN = {"type": "yarn", "factor": 40, "original_max_position_embeddings": 4096, "beta_fast": 32, "beta_slow": 1}


@cache
def families() -> list[str]:
    """Those that have them: found by the tests, as it imports all families."""
    return sorted(
        name
        for name, item in default().architectures.items()
        if "rope_parameters" in {field.name for field in attrs.fields(item.load().config)}
    )


def test_most_decoders_have_them() -> None:
    """The families that the checks below run through."""
    assert {"llama", "qwen3_moe", "phi3", "gemma3_text", "deepseek_v3", "gpt_oss", "falcon"} <= set(families())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("yarn", "rope_parameters is an object of settings, not 'yarn'"),
        ({"rope_type": "by-parts", "factor": 2.0}, "rope_parameters has rope_type 'by-parts'; known: default, "),
        ({"rope_type": 3}, "rope_parameters has rope_type 3; known: default, "),
        ({"rope_theta": -1.0}, "rope_parameters has rope_theta -1.0, which must be a positive number"),
        ({"rope_theta": "much"}, "rope_parameters has rope_theta 'much', which must be a positive number"),
        ({"rope_theta": float("nan")}, "rope_parameters has rope_theta nan, which must be a positive number"),
        (
            {"type": "longrope", "short_factor": [1.0]},
            "rope_parameters has no long_factor, which rope_type 'longrope' needs",
        ),
        (
            {"type": "longrope", "short_factor": [1.0], "long_factor": [-1.0]},
            "rope_parameters has long_factor [-1.0], which must be a list of positive numbers",
        ),
        ({"mrope_section": [8, "x"]}, "rope_parameters has mrope_section [8, 'x'], which must be a list of counts"),
        (
            {"partial_rotary_factor": 1.5},
            "rope_parameters has partial_rotary_factor 1.5, which must be a fraction from 0 to 1",
        ),
        (
            {"full_attention": {"rope_type": "by-parts"}, "sliding_attention": None},
            "rope_parameters has rope_type 'by-parts'; known: default, ",
        ),
        ({"full_attention": 3}, "rope_parameters has full_attention 3, which must be an object of settings"),
    ],
)
def test_nonsense_is_an_error_in_every_family(settings: Any, message: str) -> None:
    """No model has it. A family may have other kinds of layers with settings of their own."""
    for family in families():
        said, expected = settings, message
        if isinstance(settings, dict) and "full_attention" in settings and family in KINDS:
            said = {KINDS[family]: settings["full_attention"]}
            expected = message.replace("full_attention", KINDS[family])
        if family in AXIAL and ("rope_type" in message or "long_factor" in message):
            expected = "rope_parameters has rope_type"  # no other kind is known, whatever else the settings say
        with pytest.raises(ConfigError) as caught:
            default().architectures[family].load().config(**REQUIRED.get(family, {}), rope_parameters=said)
        assert str(caught.value).startswith(expected), family


KINDS = {"deepseek_v4": "main"}
AXIAL = ("sam3_vit_model",)
"""Families that rotate by row and column and know no other kind."""
REQUIRED = {"deepseek_v2": {"moe_intermediate_size": 8, "n_routed_experts": 2, "n_shared_experts": 1}}
"""Keys without a default."""


@pytest.mark.parametrize("kind", ["linear", "dynamic", "yarn", "llama3"])
def test_a_missing_key_is_an_error(kind: str) -> None:
    """The library raises for a missing factor; a missing original length is the model's."""
    with pytest.raises(ReadError, match=f"rope_scaling has no factor, which rope_type '{kind}' needs"):
        graphacct.build({"model_type": "llama", "rope_scaling": {"type": kind}})
    settings = {"type": kind, "factor": -2, "low_freq_factor": 1, "high_freq_factor": 4}
    with pytest.raises(ReadError, match=r"rope_scaling has factor -2, which must be a positive number"):
        graphacct.build({"model_type": "llama", "rope_scaling": settings})


def test_published_settings_change_no_cost() -> None:
    """Yarn's; Llama 3.1's; Phi-3's under its former name, which is an error in any other family."""
    plain = graphacct.account("llama", seq_len=8).total
    llama3 = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
    for settings in (YARN, {**llama3, "rope_type": "llama3"}, {"type": "linear", "factor": 2.0}):
        assert graphacct.account({"model_type": "llama", "rope_scaling": settings}, seq_len=8).total == plain
    su = {"type": "su", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48}
    found = graphacct.account({"model_type": "phi3", "rope_scaling": su}, seq_len=8)
    assert found.total == graphacct.account("phi3", seq_len=8).total
    with pytest.raises(ReadError, match="rope_scaling has rope_type 'su'"):
        graphacct.build({"model_type": "llama", "rope_scaling": su})


def test_settings_by_their_paths() -> None:
    """`set` gives one of them, checked like the rest."""
    assert graphacct.build("phi-2", seq_len=4, set={"rope_parameters.partial_rotary_factor": 0.5}).nodes
    for key in ("rope_parameters.factor", "rope_scaling.factor"):
        with pytest.raises(ConfigError, match=r"rope_parameters has factor -2, which must be a positive number"):
            graphacct.build("llama-3-8b", set={key: -2})
