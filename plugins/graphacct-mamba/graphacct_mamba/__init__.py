"""Selective state spaces for graphacct: Mamba, Mamba-2 and the hybrid Jamba.

Everything is imported on first use.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from graphacct import LazyArchitecture, LazyOperator, PresetFiles, hookimpl

if TYPE_CHECKING:
    from graphacct import Translation

HERE = os.path.dirname(__file__)
FILES = {
    "mamba": "mamba",
    "mamba2": "mamba2",
    "jamba": "jamba",
    "lfm2": "lfm2",
    "lfm2_moe": "lfm2_moe",
    "lfm3": "lfm3",
    "recurrent_gemma": "recurrent_gemma",
    "falcon_mamba": "falcon_mamba",
    "falcon_h1": "falcon_h1",
    "baichuan_m1": "baichuan_m1",
    "bamba": "bamba",
    "granitemoehybrid": "granitemoehybrid",
    "nemotron_h": "nemotron_h",
    "zamba": "zamba",
    "zamba2": "zamba2",
    "olmo_hybrid": "olmo_hybrid",
    "qwen3_next": "qwen3_next",
    "kimi_linear": "kimi_linear",
    "minimax": "minimax",
    "bailing_hybrid": "bailing_hybrid",
    "qwen3_5_text": "qwen3_5",
    "qwen3_5_moe_text": "qwen3_5_moe",
}
"""The file of each family; a family's name is its `model_type`."""
FAMILIES = tuple(
    LazyArchitecture(name, f"{__name__}.{file}", PresetFiles(f"{HERE}/{file}.py"), (name,))
    for name, file in FILES.items()
)


OPERATORS = {
    "chunks": "chunk_scan scan_step",
    "delta": "delta_chunks delta_step",
    "kda_chunks": "kda_chunks kda_step",
    "lightning_blocks": "lightning_blocks lightning_step",
    "linear_recurrence": "linear_recurrence",
    "scan": "selective_scan",
    "state": "recurrent_state state_keep",
}
"""The names of the operators in each module."""


@hookimpl
def graphacct_register_operators() -> Iterable[LazyOperator]:
    return [LazyOperator(name, f"{__name__}.{module}") for module, names in OPERATORS.items() for name in names.split()]


@hookimpl
def graphacct_register_architectures() -> Iterable[LazyArchitecture]:
    return FAMILIES


def _accepts(content: Mapping[str, Any]) -> bool:
    return all(key in content for key in ("d_model", "n_layer", "ssm_cfg")) or (
        content.get("model_type") == "mamba" and "dim" in content
    )


def _config(content: Mapping[str, Any]) -> Mapping[str, Any]:
    from graphacct_mamba.original import config

    return config(content)


@hookimpl
def graphacct_register_translations() -> Iterable[Translation]:
    from graphacct import Translation

    return [
        Translation("mamba-original", "state-spaces/mamba's config.json, Mistral's params.json.", _accepts, _config)
    ]
