"""What of a step's saved tensors is known not to equal the model's own code is said with the figures."""

import pytest

import graphacct
from graphacct.render.memory import to_dict

SCAN = "saved tensors of the scan in 16 bits are not those of the library"
NOT_MEASURED = "saved tensors with fused attention were not measured: the library's class has it written out alone"


def test_a_report_and_a_memory_say_it():
    """In the footer, in JSON and in Python."""
    report = graphacct.account("mamba-130m", seq_len=8, phase="train", dtype="bf16")
    memory = graphacct.memory("mamba-130m", seq_len=8, dtype="bf16")
    assert report.inexact == memory.inexact
    assert [sentence.startswith(SCAN) for sentence in report.inexact] == [True]
    assert f"not exact: {SCAN}" in str(report)
    assert f"not exact: {SCAN}" in str(memory)
    assert report.to_dict()["inexact"] == list(report.inexact)
    assert to_dict(memory)["inexact"] == list(report.inexact)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("mamba-130m", {"dtype": "fp32"}),
        ("mamba-130m", {"dtype": "bf16", "phase": "forward"}),
        ("llama-3-8b", {"dtype": "bf16"}),
        ("gpt-oss-20b", {"dtype": "bf16", "attention": "eager"}),
    ],
)
def test_where_all_is_equal_nothing_is_said(model, options):
    memory = graphacct.memory(model, seq_len=8, **options)
    assert memory.inexact == ()
    assert "not exact" not in str(memory)
    assert "inexact" not in to_dict(memory)


@pytest.mark.parametrize("model", ["gpt-oss-20b", "bloom-560m", "gpt-neo-125m", "gemma-2-2b"])
def test_fused_attention_that_the_library_does_not_have(model):
    assert graphacct.memory(model, seq_len=8, attention="fused").inexact == (NOT_MEASURED,)


def test_it_stays_with_adapters():
    """Transforms make another graph of the same model."""
    memory = graphacct.memory("mamba-130m", seq_len=8, dtype="bf16", lora=["8:*.in_proj"])
    assert len(memory.inexact) == 1


def test_mamba_2_says_where_the_last_chunk_is_padded():
    """3 chunks of 8 tokens are whole, 20 tokens are not."""
    sizes = {"num_heads": 6, "head_dim": 8, "hidden_size": 24, "n_groups": 2, "chunk_size": 8, "state_size": 4}
    found = [graphacct.memory("mamba2", dtype="fp32", seq_len=seq, set=sizes).inexact for seq in (24, 20)]
    assert found == [
        (),
        ("saved tensors of the scan are not the library's where seq_len is no multiple of chunk_size 8",),
    ]


def test_a_stack_of_one_layer() -> None:
    """T5's checkpointed layer makes the position biases again, which graphacct counts as saved; two are exact."""
    sizes = {"d_model": 16, "d_kv": 4, "d_ff": 32, "num_heads": 2, "vocab_size": 50}
    found = [graphacct.memory("t5", seq_len=8, set={**sizes, "num_layers": n}).inexact for n in (1, 2)]
    assert ["a stack of one layer" in " ".join(sentences) for sentences in found] == [True, False]
