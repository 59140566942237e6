"""Families read from a config.json, equal to the unit with what torch measured on the real models."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import pytest
from each import each
from runnable import runnable
from runs import scopes_that_are_nodes

import graphacct
from graphacct.hooks.manager import default
from graphacct.models.find import preset, presets
from graphacct.readers.hf import find as described

FAMILIES = Path(__file__).parents[3] / "tests" / "goldens" / "families"
CASES = sorted(path.name for path in FAMILIES.iterdir())
PRESETS = {
    "bart-large": "bart-large",
    "bart-large-cnn": "bart-large-cnn",
    "flan-t5-base": "flan-t5-base",
    "t5-base": "t5-base",
    "whisper-small": "whisper-small",
    "wav2vec2-base-960h": "wav2vec2-base-960h",
    "ast-finetuned-audioset": "ast-finetuned-audioset-10-10-0.4593",
    "gemma-2-9b": "gemma-2-9b",
    "llama-2-7b": "llama-2-7b",
    "llama-3-8b": "llama-3-8b",
    "bloom-7b1": "bloom-7b1",
    "codegen-350m": "codegen-350m",
    "falcon-40b": "falcon-40b",
    "falcon-rw-1b": "falcon-rw-1b",
    "gpt-neo-125m": "gpt-neo-125m",
    "opt-350m": "opt-350m",
    "phi-2": "phi-2",
    "stablelm-2-1.6b": "stablelm-2-1.6b",
    "stablelm-2-12b": "stablelm-2-12b",
    "falcon-7b": "falcon-7b",
    "gpt-j-6b": "gpt-j-6b",
    "opt-1.3b": "opt-1.3b",
    "phi-3-mini-4k": "phi-3-mini-4k",
    "pythia-1.4b": "pythia-1.4b",
    "starcoder2-3b": "starcoder2-3b",
    "mistral-7b-v0.1": "mistral-7b",
    "deepseek-v2-lite": "deepseek-v2-lite",
    "gpt-oss-20b": "gpt-oss-20b",
    "mixtral-8x7b-v0.1": "mixtral-8x7b",
    "qwen2-7b": "qwen2-7b",
    "qwen3-30b-a3b": "qwen3-30b-a3b",
    "qwen3-8b": "qwen3-8b",
    "vit-base-patch16-224": "vit-base-patch16-224",
    "beit-base-patch16-224": "beit-base-patch16-224",
    "dinov2-base": "dinov2-base",
    "swin-tiny": "swin-tiny-patch4-window7-224",
    "segformer-b0": "segformer-b0-ade-512",
    "clip-vit-base-patch32": "clip-vit-base-patch32",
    "bert-base-mlm": "bert-base-uncased",
    "distilbert-base": "distilbert-base-uncased",
    "olmo2-7b": "olmo-2-7b",
    "smollm3-3b": "smollm3-3b",
    "albert-base-v2": "albert-base-v2",
    "deberta-v3-base": "deberta-v3-base",
    "modernbert-base": "modernbert-base",
    "mt5-small": "mt5-small",
    "nllb-200-distilled-600m": "nllb-200-distilled-600m",
    "opus-mt-en-de": "opus-mt-en-de",
    "xlm-roberta-base": "xlm-roberta-base",
    "ernie-4.5-0.3b": "ernie-4.5-0.3b",
    "exaone-4.0-1.2b": "exaone-4.0-1.2b",
    "glm-4-9b-chat-hf": "glm-4-9b-chat",
    "glm-4.5-air": "glm-4.5-air",
    "granite-3.0-1b-a400m": "granite-3.0-1b-a400m",
    "hunyuan-7b": "hunyuan-7b",
    "olmo-3-7b": "olmo-3-7b",
    "olmoe-1b-7b": "olmoe-1b-7b",
    "phi-3.5-moe": "phi-3.5-moe",
    "seed-oss-36b": "seed-oss-36b",
    "starcoder": "starcoder",
}
"""Measured models, and the preset that is the same."""
DERIVED = {
    "quantization_config",
    "attention_types",
    "decoder_vocab_size",
    "dense_act_fn",
    "ffn_hidden_size",
    "is_gated_act",
    "layer_types",
    "no_rope_layers",
    "num_kv_heads",
    "partial_rotary_factor",
    "rope_parameters",
    "scale_decoder_outputs",
    "word_embed_proj_dim",
}
"""Keys that presets leave to their rule and newer files write out; what they lead to is compared."""
HUB_DIFFERS: dict[str, str] = {}
"""Cases whose older published config.json leads to other numbers, and the key at fault."""


@cache
def truth(case: str) -> dict[str, Any]:
    return json.loads((FAMILIES / case / "truth.json").read_text())


@cache
def report(case: str, **options: Any) -> graphacct.Report:
    return graphacct.account(FAMILIES / case, convention="matmul", **{"attention": "eager", **options})


PRODUCTS = ("matmul_flops",)
PACKED = ("gpt-oss-20b",)
"""Cases whose file says that their weights are packed."""
WORKLOAD = ("batch", "seq", "encoder_seq", "decoder_seq", "cached_tokens", "images", "image_size")


def listed(rows: Any) -> list[dict[str, Any]]:
    """The rows of a section, which is one row where one was measured."""
    return [rows] if isinstance(rows, dict) else list(rows)


def starred(path: str) -> str:
    """A name as the goldens have it, with `*` for every index, that of a table which only the first layer has too."""
    return re.sub(r"(?<=\.)\d+(?=\.|$)", "*", path)


def rows(section: str) -> list[Any]:
    return [
        pytest.param(case, row, id="-".join([case, *(str(row[key]) for key in WORKLOAD if key in row)]))
        for case in CASES
        for row in listed(truth(case).get(section, ()))
    ]


def sizes(row: dict[str, Any]) -> dict[str, int]:
    """The workload of a measured row: a text's length, an image's size, or both; those of encoder and decoder."""
    keys = {"batch": "batch", "seq": "seq_len", "image_size": "image_size", "images": "images"}
    keys |= {"audios": "audios"}
    keys |= {"encoder_seq": "encoder_seq_len", "decoder_seq": "seq_len", "samples": "samples", "frames": "frames"}
    return {name: row[key] for key, name in keys.items() if key in row}


def smallest(case: str) -> dict[str, int]:
    """A workload that a case was measured on."""
    return sizes(truth(case)["forward"][0])


@each("case", CASES)
def test_parameters(case: str) -> None:
    """Every name, shape and count of the state_dict; tied ones once in the total and marked by name."""
    expected = truth(case)["params"]
    found = report(case, **smallest(case))
    own = [row for row in found.by_parameter if not row.parameter.tied_to and not row.parameter.buffer]
    ours: dict[str, dict[str, Any]] = {}
    for row in own:
        alike = ours.setdefault(starred(row.parameter.name), {"params": 0, "tensors": 0})
        alike["params"] += row.parameter.spec.elements * row.count
        alike["tensors"] += row.count
        if alike.setdefault("shape", list(row.parameter.spec.shape)) != list(row.parameter.spec.shape):
            alike["shape"] = "varies"  # as the layers of a Sequential, which the goldens have in one row
    assert ours == expected["by_parameter_pattern"]
    assert found.total["params"] == expected["total"]
    assert sorted(row.parameter.name for row in found.by_parameter if row.parameter.tied_to) == expected["tied_names"]


@each("case, row", rows("forward"))
def test_forward_flops_by_module(case: str, row: dict[str, Any]) -> None:
    """The total and every module with FLOPs, and how many of each module there are; with fused attention, on the first
    workload of a case, the same total."""
    found = report(case, **sizes(row), quantities=PRODUCTS)
    assert found.total["matmul_flops"] == row["total"]
    ours: dict[str, list[int]] = {}
    for line in found.by_scope:  # layers that differ have a row each
        alike = ours.setdefault(starred(line.path), [0, 0])
        alike[:] = alike[0] + line.values["matmul_flops"], alike[1] + line.repeat
    for path, (flops, _) in tuple(ours.items()):  # a Sequential, whose parts are one row here
        ours.setdefault(path.removesuffix(".*"), [flops, 1])
    modules = {path: figures for path, figures in row.get("by_module", {}).items() if path != "(root)"}
    assert {path: ours.get(path) for path in modules} == modules
    if sizes(row) == smallest(case):
        fused = report(case, **sizes(row), attention="fused", quantities=PRODUCTS)
        assert fused.total["matmul_flops"] == row["total"]


def corrected(case: str, row: dict[str, Any]) -> int:
    """The FLOPs of a step. torch's counter takes the gradient of the weight of a convolution in groups as many times as
    there are groups; the goldens have what is right beside it."""
    right = truth(case).get("train_step_grouped_conv_corrected", ())
    return next((other["total"] for other in right if sizes(other) == sizes(row)), row["total"])


@each("case, row", rows("train_step"))
def test_a_training_step(case: str, row: dict[str, Any]) -> None:
    """Forward, input gradients and weight gradients; of weights that are not packed, as they were measured."""
    weights = "bf16" if case in PACKED else None
    found = report(case, **sizes(row), phase="train", loss="sum", weights=weights, quantities=("step_matmul_flops",))
    assert found.total["step_matmul_flops"] == corrected(case, row)


@each("case, row", rows("prefill_last_logit"))
def test_logits_of_the_last_position_alone(case: str, row: dict[str, Any]) -> None:
    """A forward pass or a prefill whose head sees one position of each sequence."""
    for phase in ("forward", "prefill"):
        found = report(case, **sizes(row), phase=phase, logits="last", quantities=PRODUCTS)
        assert found.total["matmul_flops"] == row["total"]


@each("case, row", rows("decode"))
def test_a_decoding_step(case: str, row: dict[str, Any]) -> None:
    """One new token on a cache, which of a model with an encoder has the encoder's keys and values too."""
    encoder = {"encoder_seq_len": row["encoder_seq"]} if "encoder_seq" in row else {}
    sizes = {"batch": row["batch"], "cache_len": row["cached_tokens"], **encoder}
    found = report(case, **sizes, phase="decode", quantities=PRODUCTS)
    assert found.total["matmul_flops"] == row["total"]


@each("case", [case for case in CASES if (FAMILIES / case / "hub").exists()])
def test_the_published_file_says_the_same(case: str) -> None:
    """The older config.json of the hub describes the same model, or the key at fault is named in the table."""
    new = described(str(FAMILIES / case), default())[2]
    old = described(str(FAMILIES / case / "hub"), default())[2]
    given = {**smallest(case), "attention": "eager"}
    same = report(case, **given).total == graphacct.account(FAMILIES / case / "hub", convention="matmul", **given).total
    assert same == (case not in HUB_DIFFERS), (new, old)


@each("case", CASES)
def test_a_configuration_can_be_changed(case: str) -> None:
    """`--set` makes a configuration from the file's: what a field returned, it takes."""
    config = described(str(FAMILIES / case), default())[2]
    assert attrs.evolve(config) == config


@each("case, name", PRESETS.items())
def test_a_preset_is_the_published_configuration(case: str, name: str) -> None:
    """Presets are measured models, key by key."""
    found = preset(name, default())
    assert found is not None
    config = described(str(FAMILIES / case), default())[2]
    keys = {field.name for field in attrs.fields(type(config)) if not field.inherited} - DERIVED
    same = {key: getattr(config, key) == getattr(found[1], key) for key in keys}
    assert all(same.values()), same
    unpacked = {"set": {"quantization_config": None}}  # gpt-oss is published in MXFP4
    found_in_file = graphacct.account(FAMILIES / case, **smallest(case), **unpacked)
    assert graphacct.account(name, **smallest(case)).total == found_in_file.total


def test_deferred_families_answer_to_their_names() -> None:
    """What the list of families says, before their modules are imported, is what the modules have."""
    for item in default().architectures.values():
        loaded = item.load()
        assert (item.name, set(item.presets), item.model_types) == (
            loaded.name,
            set(loaded.presets),
            loaded.model_types,
        )
    assert "llama-3-8b" in presets()


def test_no_node_is_a_scope() -> None:
    """Nor with another kind of attention than the default one, which tests/reports/test_parts_sum.py looks at."""
    for architecture in default().architectures.values():
        name = next(iter(architecture.presets), architecture.name)
        for attention in architecture.load().attention[1:]:
            assert not scopes_that_are_nodes(graphacct.build(name, attention=attention, **runnable(name))), name
