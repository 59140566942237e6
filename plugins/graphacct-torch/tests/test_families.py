"""Six families as the transformers library runs them, against graphacct's own architectures.

Equal in parameters, in the products of every module, and in the other arithmetic of the whole but for what is named
here: code that computes something which the architecture leaves out, or computes it with other operators.
"""

from __future__ import annotations

import json
import re
from collections import Counter

import pytest

import graphacct

transformers = pytest.importorskip("transformers")
import torch  # noqa: E402

SMALL = {"num_hidden_layers": 3, "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4}
FAMILIES = {
    "gpt2": (
        "GPT2LMHeadModel",
        {"n_embd": 32, "n_layer": 3, "n_head": 4, "vocab_size": 100, "bos_token_id": 0, "eos_token_id": 0},
    ),
    "llama": ("LlamaForCausalLM", SMALL | {"num_key_value_heads": 2, "vocab_size": 100}),
    "mixtral": ("MixtralForCausalLM", SMALL | {"num_key_value_heads": 2, "vocab_size": 100, "num_local_experts": 4}),
    "bert": ("BertForMaskedLM", SMALL | {"vocab_size": 100}),
    "t5": (
        "T5ForConditionalGeneration",
        {
            "d_model": 32,
            "d_kv": 8,
            "d_ff": 64,
            "num_layers": 3,
            "num_heads": 4,
            "vocab_size": 100,
            "attn_implementation": "eager",
        },
    ),
    "vit": ("ViTForImageClassification", SMALL | {"image_size": 32, "patch_size": 8}),
}
"""The class and the configuration of each."""
WRITTEN_OUT = {
    *("gelu_new", "pow", "tanh"),
    *("rms_norm", "square", "mean", "rsqrt"),
    *("rotary_embedding", "neg"),
    *("relative_buckets", "log"),
    *("add", "mul", "scale", "shift"),
}
"""One operator of our architectures, and what the library's code writes in its place."""
BEYOND = {
    "llama": {"neg": 2304},  # half of q and k is negated before it is multiplied
    "mixtral": {"neg": 2304, "histc": 960, "cumsum": 12},  # the same; the rows of each expert are counted
    "t5": {"where": 512},  # near and far distances
}
"""FLOPs of the library's code that our architectures leave out."""
B, S = 2, 16
"""The batch and the tokens of each sequence."""


def both(name, tmp_path):
    """The report of graphacct's own architecture, and that of the library's module."""
    which, settings = FAMILIES[name]
    kind = getattr(transformers, which)
    config = kind.config_class(**settings)
    file = tmp_path / "config.json"
    file.write_text(json.dumps({**config.to_dict(), "architectures": [which]}, default=str))
    ids = torch.zeros(B, S, dtype=torch.int64)
    inputs = {"pixel_values": torch.zeros(B, 3, 32, 32)} if name == "vit" else {"input_ids": ids}
    if name == "t5":
        inputs["decoder_input_ids"] = ids
    if hasattr(config, "use_cache"):
        inputs["use_cache"] = False
    theirs = graphacct.account((kind(config).eval(), (), inputs))
    workload = {"batch": B} | ({} if name == "vit" else {"seq_len": S})
    attention = "eager" if name == "t5" else "fused"
    return graphacct.account(str(file), **workload, attention=attention), theirs


def products(report):
    """Matmul FLOPs by module, repeated ones together."""
    found = Counter()
    for record in report.annotated.costs:
        path = re.sub(r"\*(\+\d+)?|\b\d+\b", "*", record.node.name)
        while True:
            found[path] += record.cost.matmul_flops * record.times
            if not path:
                break
            path = path.rpartition(".")[0]
    return found


def others(report):
    """Vector FLOPs by operator."""
    found = Counter()
    for record in report.annotated.costs:
        found[record.node.operator] += record.cost.vector_flops * record.times
    return +found


@pytest.mark.parametrize("name", FAMILIES)
def test_parameters_and_products(name, tmp_path):
    ours, theirs = both(name, tmp_path)
    assert ours.total["params"] == theirs.total["params"]
    assert ours.total["matmul_flops"] == theirs.total["matmul_flops"]
    mine, found = products(ours), products(theirs)
    common = mine.keys() & found.keys()
    assert {path: found[path] for path in common} == {path: mine[path] for path in common}


@pytest.mark.parametrize("name", FAMILIES)
def test_other_arithmetic(name, tmp_path):
    """Operators of both have the same FLOPs. What one writes as an operator and the other as several has the same sum,
    but for what the library's code does beyond."""
    ours, theirs = both(name, tmp_path)
    mine, found, more = others(ours), others(theirs), BEYOND.get(name, {})
    assert {op: found[op] - more.get(op, 0) for op in found if op not in WRITTEN_OUT} == {
        op: mine[op] for op in (mine.keys() | more.keys()) & found.keys() - WRITTEN_OUT
    }
    assert not mine.keys() - WRITTEN_OUT - found.keys()
    assert sum(found.values()) - sum(more.values()) == sum(mine.values())
