"""Our architectures against the library's classes: every figure of small ones is equal."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest

import graphacct
from graphacct import GraphacctError
from graphacct.render.class_verification import sheet

pytestmark = pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="needs transformers")
LLAMA = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 99}
GPT2 = {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 99}


@pytest.mark.parametrize(
    ("model", "sizes"),
    [
        ("gpt2", GPT2),
        ("llama", {**LLAMA, "num_key_value_heads": 2, "max_position_embeddings": 64}),
        ("bert", {**LLAMA, "max_position_embeddings": 64, "architectures": ["BertForMaskedLM"]}),
        ("mixtral", {**LLAMA, "num_key_value_heads": 2, "num_local_experts": 4}),
    ],
)
def test_every_figure_is_equal(model: str, sizes: dict[str, Any]) -> None:
    """Parameters by name, FLOPs by module in both passes, saved bytes and peaks."""
    found = graphacct.verify_class(model, set=sizes, batch=2, seq_len=16, dtype="fp32")
    assert found.measured.name.startswith("transformers ")
    assert {line.what for line in found.lines} == {
        *("params", "forward", "step"),
        *("saved_bytes", "peak_bytes", "backward_peak_bytes"),
    }
    assert not found.differences


@pytest.mark.parametrize(("model", "sizes"), [("llama", {**LLAMA, "num_key_value_heads": 2}), ("gpt2", GPT2)])
def test_fused_attention_is_what_the_counter_does_not_see(model: str, sizes: dict[str, Any]) -> None:
    """It is named, also where only the forward pass runs it, as with dropout; its FLOPs by formula make all equal."""
    found = graphacct.verify_class(model, set=sizes, batch=2, seq_len=16, dtype="fp32", attention="fused")
    measured = found.measured
    assert measured.blind["aten._scaled_dot_product_flash_attention_for_cpu"] == 2
    assert not found.differences
    attention = 2 * (4 * 2 * 16 * 16 * 64)  # of two layers: scores and values of all heads
    assert measured.unseen_forward[""] == attention
    assert measured.unseen_step[""] == (0 if model == "gpt2" else 3 * attention)
    assert "does not see 2 of aten._scaled_dot_product" in " ".join(sheet(found).notes)
    assert f"{attention:,} of the forward FLOPs" in " ".join(sheet(found).notes)


@pytest.mark.parametrize(("model", "more"), [("llama", {}), ("qwen3-8b", {"head_dim": 16, "max_window_layers": 2})])
def test_every_figure_is_equal_in_16_bits(model: str, more: dict[str, Any]) -> None:
    """RMSNorm's function keeps variables in float32 until it returns, those of queries and keys as well."""
    sizes = {**LLAMA, "num_key_value_heads": 2, **more}
    found = graphacct.verify_class(model, set=sizes, batch=2, seq_len=16, dtype="bf16", attention="eager")
    assert not found.differences


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_parallel_layer_holds_both_outputs_while_it_adds_them(dtype: str) -> None:
    """Phi's forward peak is there: attention's output and the network's are variables of the layer."""
    found = graphacct.verify_class("phi-2", set=LLAMA, batch=2, seq_len=16, dtype=dtype, attention="eager")
    assert not found.differences


def test_what_a_class_does_not_derive_itself_is_completed() -> None:
    """GPT-Neo's kinds of attention follow the number of layers, an odd one too."""
    sizes = {"hidden_size": 64, "num_layers": 3, "num_heads": 4, "vocab_size": 99, "max_position_embeddings": 64}
    found = graphacct.verify_class("gpt-neo-125m", set=sizes, batch=2, seq_len=16, dtype="fp32")
    flops = [line for line in found.lines if line.what in ("params", "forward", "step")]
    assert len(flops) > 3
    assert all(line.ours == line.theirs for line in flops)


@pytest.mark.parametrize(
    ("model", "name"),
    [("whisper-tiny", "WhisperForConditionalGeneration"), ("bart-base", "BartModel"), ("gpt2", "GPT2LMHeadModel")],
)
def test_the_class_is_the_one_that_the_model_is_read_as(model: str, name: str) -> None:
    """A decoder of the same family writes text as well."""
    found = graphacct.verify_class(model, seq_len=8, dtype="fp32")
    assert found.measured.name.endswith(f": {name}")
    assert all(line.ours == line.theirs for line in found.lines if line.what in ("params", "forward", "step"))


def test_a_module_whose_parts_are_numbered_is_compared_by_their_sum() -> None:
    """ResNet's `layers` and `classifier` are nn.Sequential."""
    found = graphacct.verify_class("hf-resnet-18", image_size=64, set={"depths": [1, 1, 1, 1]})
    (line,) = [line for line in found.lines if (line.what, line.path) == ("forward", "classifier")]
    assert line.ours == line.theirs == 2 * 512 * 1000
    assert not found.differences


def test_a_class_that_is_not_built_is_an_error_that_names_it() -> None:
    """Whatever the class raises: here an assertion of torch."""
    with pytest.raises(GraphacctError, match=r"transformers' SmolLM3ForCausalLM is not built: .*[Pp]adding_idx"):
        graphacct.verify_class("smollm3-3b", set={"vocab_size": 99, "num_hidden_layers": 2}, seq_len=4)


def test_a_value_that_only_the_class_reads_is_supplied() -> None:
    """DBRX's attention reads `rope_theta`, which changes no cost, of a configuration whose class does not have it."""
    import transformers
    from graphacct_torch.reading.library import built

    config = transformers.DbrxConfig(d_model=8, n_heads=2, n_layers=1, vocab_size=10)
    assert built(config).config.attn_config.rope_theta == 10000.0
