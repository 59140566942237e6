"""QLoRA: a quantised base with adapters beside it, measured with bitsandbytes, peft and torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import graphacct
from graphacct import memory
from graphacct.errors import ConfigError

TRUTH = json.loads((Path(__file__).parents[1] / "goldens" / "qlora-llama" / "truth.json").read_text())
LAYER = {"num_hidden_layers": 1, "hidden_size": 64, "intermediate_size": 176, "head_dim": 16, "vocab_size": 512}
TINY = {**LAYER, "num_attention_heads": 4, "num_key_value_heads": 2, "tie_word_embeddings": False}


def measured(run: dict[str, Any]) -> graphacct.footprint.memory.Memory:  # type: ignore[name-defined]
    """The memory of a run's step."""
    return memory(
        "llama",
        batch=run["batch"],
        seq_len=run["seq"],
        attention=run["attention"],
        set={**TRUTH["config"], "head_dim": 16},
        dtype=run["dtype"],
        weights=run["format"] + (":double" if run["double"] else ""),
        lora=[f"{run['rank']}:{','.join(run['targets'])}"],
        loss="sum",
        profile="torch-eager-cpu",
        recompute="full" if run["checkpointing"] else "none",
    )


@pytest.mark.parametrize(
    "run",
    TRUTH["runs"],
    ids=lambda run: (
        f"{run['dtype']}-{run['format']}-{run['double']}-{run['targets'][-1]}-{run['attention']}-{run['checkpointing']}"
    ),
)
def test_a_step_is_what_torch_measures(run: dict[str, Any]) -> None:
    """Weights with all their tensors, gradients of the adapters alone, what is kept, and both peaks, to the byte."""
    found = measured(run)
    assert (found.parameters, found.gradients) == (run["parameters"], run["gradients"])
    assert (found.saved_activations, found.fresh_peak) == (run["saved_bytes"], run["step_peak"])
    assert found.forward_peak == run["forward_peak"]


def step(**options: Any) -> Any:
    """The memory of a step of one tiny layer, with adapters of rank 4 unless the options say otherwise."""
    given = {"batch": 2, "seq_len": 8, "dtype": "bf16", "loss": "sum", "set": TINY, "lora": ["4:q_proj"], **options}
    return memory("llama", **given)


def test_a_quantised_base_changes_weights_and_peaks_alone() -> None:
    """Gradients, optimizer state and what is kept are those of the plain base, whatever the format."""
    plain = step()
    for text in ("nf4", "nf4:double", "fp8:block=128", "nvfp4", "int4:group=16"):
        found = step(weights=text)
        assert found.parameters < plain.parameters
        for name in ("gradients", "optimizer_state", "saved_activations"):
            assert getattr(found, name) == getattr(plain, name) > 0, (text, name)


def test_the_copy_is_alive_during_its_product() -> None:
    """In a forward pass of one layer the largest copy is that of a 176 × 64 matrix in 16 bits. At up_proj's product it
    is beside the result and what the same product has without a copy."""
    rows = {}
    for text in ("int8", "nf4"):
        timeline = step(weights=text, phase="forward", lora=[], loss=None).timeline
        rows[text] = max(row.live_bytes for row in timeline if row.node.endswith("up_proj"))
    assert rows["nf4"] - rows["int8"] == 176 * 64 * 2


def test_a_layer_of_llm_int8_keeps_its_input() -> None:
    """Of one layer with an adapter on q_proj the inputs of down_proj (16 tokens of 176) and of gate_proj and up_proj
    (16 of 64) are kept for no other reason, in 16 bits. The copy of a weight is made in the backward pass alone."""
    plain, found = step(), step(weights="int8")
    assert found.saved_activations - plain.saved_activations == 16 * (176 + 64) * 2
    copies = [row.run for row in found.timeline if row.operator == "scaled_statistics"]
    assert set(copies) == {"backward"}
    assert len(copies) == 4  # o_proj, gate_proj, up_proj, down_proj: nothing before q_proj is trained
    on_cpu = step(weights="int8", profile="torch-eager-cpu")
    assert {row.run for row in on_cpu.timeline if row.operator == "scaled_statistics"} == {"forward", "backward"}


def test_a_profile_without_a_rule_reads_directly() -> None:
    """Operators as they declare themselves write nothing out."""
    from graphacct.execution.profiles import DECLARED
    from graphacct.footprint.activations import Activations
    from graphacct.hooks.manager import default

    graph = graphacct.build("llama", batch=2, seq_len=8, set=TINY, weights="nf4")
    calls = Activations(graph, default().operators, DECLARED, lambda parameter: False, training=False).schedule.calls
    assert not any(call.name == "dequantize_4bit" for call in calls)


def test_integers_are_not_trained() -> None:
    """Without adapters a quantised base is an error that says why and names the way out, in every verb; what is not
    quantised may be trained if the rest is frozen."""
    message = "weights 'nf4' are not trained: 'model.layers.*.self_attn.q_proj.weight' and 6 more would need a gradient"
    with pytest.raises(ConfigError, match=r"adapters beside them with lora='16:all-linear'") as caught:
        step(weights="nf4", lora=[])
    assert message in str(caught.value)
    with pytest.raises(ConfigError, match="weights 'nf4' are not trained"):
        graphacct.account("llama", phase="train", seq_len=8, set=TINY, weights="nf4")
    frozen = step(weights="nf4", lora=[], freeze=["*_proj.weight"])
    assert frozen.gradients == 2 * (2 * 512 * 64 + 3 * 64)  # embedding, head and three norms


def test_weights_in_a_wider_computation_are_not_trained_either() -> None:
    """An update of bfloat16 weights in float32 has no parameter to go to."""
    with pytest.raises(ConfigError, match="weights 'bf16' are not trained"):
        step(weights="bf16", dtype="fp32", lora=[])
    assert step(weights="bf16", lora=[]).parameters == step(lora=[]).parameters


def test_autocast_writes_out_in_its_products_dtype() -> None:
    """Under autocast to bfloat16 the copy has 16 bits, and no other copy of the weight is made."""
    found = step(weights="nf4", dtype="fp32", profile="torch-autocast-cuda")
    assert (
        found.saved_weight_copies
        == step(weights="int8", dtype="fp32", profile="torch-autocast-cuda").saved_weight_copies
    )
    plain = step(dtype="fp32", profile="torch-autocast-cuda")
    assert found.saved_weight_copies < plain.saved_weight_copies
