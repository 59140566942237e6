"""Checkpoints under the names of the day they were saved, read as the transformers library loads them.

The names are those of files as published: openai-community/gpt2, google-bert/bert-base-uncased,
mistralai/Mixtral-8x7B-v0.1, Qwen/Qwen3-30B-A3B.
"""

from __future__ import annotations

from typing import Any

import graphacct
from graphacct import TensorSpec
from graphacct.checkpoints.verify import Verification, verify
from graphacct.render.checkpoint import expanded

SMALL = {"num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 2}


def compared(model: str, found: dict[str, TensorSpec], **sizes: Any) -> Verification:
    return verify(expanded(graphacct.account(model, seq_len=4, set=sizes)), found)


def tensors(model: str, **sizes: Any) -> dict[str, TensorSpec]:
    report = expanded(graphacct.account(model, seq_len=4, set=sizes))
    return {row.parameter.name: row.parameter.spec for row in report.by_parameter if not row.parameter.tied_to}


def test_gpt2_as_published() -> None:
    """No `transformer.` before the names, and a causal mask in every layer: 12 of (1, 1, 1024, 1024)."""
    found = {name.removeprefix("transformer."): spec for name, spec in tensors("gpt2").items()}
    masks = {f"h.{layer}.attn.bias": TensorSpec((1, 1, 1024, 1024)) for layer in range(12)}
    result = compared("gpt2", {**found, **masks})
    assert result.equal
    assert [(item.name, item.kind) for item in result.differences] == [(name, "buffer") for name in masks]
    assert result.conversions == {
        "transformer. stands before the name today": 148
    }  # 12 layers of 12, wte, wpe, ln_f's two
    del found["h.3.mlp.c_fc.bias"]
    result = compared("gpt2", found)
    assert [(item.name, item.kind) for item in result.differences] == [("transformer.h.3.mlp.c_fc.bias", "missing")]


def test_bert_as_published() -> None:
    """Norms have gamma and beta; the head for pairs of sentences, which the class has not, is unknown."""
    own = tensors("bert-base-uncased")
    found = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): spec
        for name, spec in own.items()
    }
    result = compared("bert-base-uncased", {**found, "cls.seq_relationship.weight": TensorSpec((2, 768))})
    assert [(item.name, item.kind) for item in result.differences] == [("cls.seq_relationship.weight", "unknown")]
    # 12 layers of two norms, one after the embeddings and one in the head, a gain and a bias each.
    assert result.conversions == {"LayerNorm.gamma is LayerNorm.weight": 26, "LayerNorm.beta is LayerNorm.bias": 26}


def test_detectors_as_published() -> None:
    """facebook/detr-resnet-50, microsoft/conditional-detr-resnet-50 and PekingU/rtdetr_r50vd: the backbone is inside a
    `conv_encoder`, a layer's network is no module, and projections have other names."""
    older = (
        ("backbone.model", "backbone.conv_encoder.model"),
        ("o_proj", "out_proj"),
        (".mlp.fc", ".fc"),
        ("encoder.aifi", "encoder.encoder"),
        ("self_attn.q_content_proj", "sa_qcontent_proj"),
        ("encoder_attn.k_pos_proj", "ca_kpos_proj"),
        ("encoder_attn.q_pos_sine_proj", "ca_qpos_sine_proj"),
    )
    for kind, places in (("detr", ("backbone",)), ("conditional_detr", ("backbone",)), ("rt_detr", ())):
        report = expanded(graphacct.account({"model_type": kind}))
        own = {row.parameter.name: row.parameter.spec for row in report.by_parameter if not row.parameter.tied_to}
        found = {}
        for name, spec in own.items():
            was = name
            for today, old in older:
                was = was.replace(today, old) if places or "backbone" not in today else was
            found[was] = spec
        result = verify(report, found)
        assert result.equal, result.differences[:3]
        assert result.conversions["modules that are elsewhere today"] == len(found.keys() - own.keys()) > 30


def one_by_one(found: dict[str, TensorSpec], parts: tuple[str, str, str], experts: int) -> dict[str, TensorSpec]:
    """Experts that are one tensor for all, as one for each: the first half of the outputs the gate's."""
    apart = {}
    for name, spec in found.items():
        place, _, last = name.rpartition(".")
        for expert in range(experts) if place.endswith(".experts") else ():
            _, outputs, inputs = spec.shape
            if last == "gate_up_proj":
                for part in parts[:2]:
                    apart[f"{place}.{expert}.{part}.weight"] = TensorSpec((outputs // 2, inputs), spec.dtype)
            else:
                apart[f"{place}.{expert}.{parts[2]}.weight"] = TensorSpec((outputs, inputs), spec.dtype)
        if not place.endswith(".experts"):
            apart[name] = spec
    return apart


def test_mixtral_as_published() -> None:
    """`block_sparse_moe`, and w1, w3 and w2 of 8 experts in each of 2 layers: 48 tensors, and 2 routers' names."""
    sizes = {**SMALL, "intermediate_size": 6, "num_key_value_heads": 1, "vocab_size": 10}
    own = tensors("mixtral-8x7b", **sizes)
    apart = one_by_one(own, ("w1", "w3", "w2"), 8)
    found = {name.replace(".mlp.", ".block_sparse_moe."): spec for name, spec in apart.items()}
    result = compared("mixtral-8x7b", found, **sizes)
    assert (result.equal, result.differences) == (True, ())
    assert result.tensors == len(found)
    assert result.conversions == {
        "block_sparse_moe is mlp": 48 + 2,
        "one tensor for each expert is one for all": 48,
    }


def test_experts_that_are_not_all_there_stay_as_they_are() -> None:
    """A missing expert, or one of another shape: nothing is stacked, and every name is listed."""
    sizes = {**SMALL, "moe_intermediate_size": 6, "num_key_value_heads": 1, "vocab_size": 10, "num_experts": 4}
    sizes |= {"num_experts_per_tok": 2, "head_dim": 4}
    own = tensors("qwen3-30b-a3b", **sizes)
    apart = one_by_one(own, ("gate_proj", "up_proj", "down_proj"), 4)
    assert compared("qwen3-30b-a3b", apart, **sizes).equal
    wrong = {**apart, "model.layers.1.mlp.experts.3.up_proj.weight": TensorSpec((7, 8))}
    for found in (wrong, {name: spec for name, spec in apart.items() if ".1.mlp.experts.3.up" not in name}):
        result = compared("qwen3-30b-a3b", found, **sizes)
        assert not result.equal
        unknown = [item.name for item in result.differences if item.kind == "unknown"]
        assert sorted(unknown) == sorted(name for name in found if ".layers.1.mlp.experts." in name)
        missing = [item.name for item in result.differences if item.kind == "missing"]
        assert missing == ["model.layers.1.mlp.experts.gate_up_proj", "model.layers.1.mlp.experts.down_proj"]


def test_only_a_base_models_name_comes_and_goes() -> None:
    """Another word in front of a name, or the name without a word that is no model's, is another tensor."""
    sizes = {**SMALL, "intermediate_size": 6, "num_key_value_heads": 1, "vocab_size": 10}
    own = tensors("llama", **sizes)
    bare = {name.removeprefix("model."): spec for name, spec in own.items()}
    assert compared("llama", bare, **sizes).equal
    for found in (
        {f"module.{name}": spec for name, spec in own.items()},
        {(f"garbage.{name}" if ".layers.1." in name else name): spec for name, spec in own.items()},
        {name.removeprefix("lm_head."): spec for name, spec in own.items()},
    ):
        result = compared("llama", found, **sizes)
        assert not result.equal
        assert not result.conversions
        unknown = [item.name for item in result.differences if item.kind == "unknown"]
        assert unknown == [name for name in found if name not in own]


def test_a_name_in_both_spellings_is_a_difference() -> None:
    """Neither hides the other; and a name that the model has under no spelling stays as it is."""
    own = tensors("bert-base-uncased", num_hidden_layers=1)
    gain = "bert.embeddings.LayerNorm.weight"
    older = gain.replace("weight", "gamma")
    for first, second in ((7, 768), (768, 7)):
        found = {
            **own,
            gain: TensorSpec((first,)),
            older: TensorSpec((second,)),
            "foo.LayerNorm.gamma": TensorSpec((1,)),
        }
        result = compared("bert-base-uncased", found, num_hidden_layers=1)
        kinds = {item.name: item.kind for item in result.differences}
        assert kinds == {older: "unknown", "foo.LayerNorm.gamma": "unknown"} | ({gain: "shape"} if first == 7 else {})
        assert not result.conversions


def test_scales_of_eight_bits_are_left_out() -> None:
    """DeepSeek-V3 as published: a tile of 128 x 128 of a weight has a scale, in a tensor of its own."""
    sizes = {**SMALL, "num_attention_heads": 1, "intermediate_size": 6, "vocab_size": 10, "first_k_dense_replace": 2}
    own = tensors("deepseek-v3", **sizes, num_key_value_heads=1)
    name = "model.layers.0.mlp.up_proj.weight"
    eight = {**own, name: TensorSpec(own[name].shape, "float8_e4m3fn"), f"{name}_scale_inv": TensorSpec((1, 1))}
    result = compared("deepseek-v3", eight, **sizes, num_key_value_heads=1)
    assert result.equal
    assert [(item.name, item.kind) for item in result.differences] == [(name, "dtype")]
    assert result.conversions == {"scales of 8-bit weights are left out": 1}
