"""What training keeps, against what torch was measured to keep, to the byte."""

import json

import pytest
from each import each
from runs import GOLDENS, PROBABILITIES, RUNS, TINY, scheduled, tiny

import graphacct
from graphacct.execution.kernels import ACTIVATION
from graphacct.execution.saved_storages import saved_bytes, saved_storages, saved_uses

BLOCK = {**TINY["gpt2"], "activation_function": "gelu"}


@each("family, run", RUNS)
def test_the_forward_pass_keeps_what_torch_keeps(family, run):
    """Storages and bytes of activations, float32 on a CPU, to the byte: views kept at batch 1 where copies are kept
    at batch 2, dropout masks as floats, attention written out, fused and (with dropout) decomposed."""
    steps = tiny(family, run, "sum")
    truth = run["saved_forward_to_logits"]["activation"]
    found = [item for item in saved_storages(saved_uses(steps)) if item.storage.kind == ACTIVATION]
    assert saved_bytes(steps) == truth["bytes"]
    if run["dropout"] == 0:
        assert len(found) == truth["storages"]


@each("family, run", RUNS)
def test_with_a_loss_it_keeps_the_log_probabilities_too(family, run):
    """Cross-entropy adds the log-softmax once, a scalar, and the targets where the model makes them itself.

    The worksheet model's targets are made outside, as int64: the measurement counted them among the activations, here
    they are an input (8 bytes per token).
    """
    outside = 8 * run["batch"] * run["seq"] if family == "transformer-lm" else 0
    steps = tiny(family, run, "cross_entropy")
    assert saved_bytes(steps) == run["saved_with_cross_entropy"]["activation"]["bytes"] - outside


def full_size():
    """The full-size measurements on the meta device: batch, length, dropout."""
    for model in ("gpt2", "gpt2-medium", "gpt2-xl", "t5-base"):
        folder = GOLDENS / model if model.startswith("gpt2") else GOLDENS / "families" / model
        content = json.loads((folder / "truth.json").read_text())
        for row in content.get("activation_saved_full_size_meta", ()):
            name = f"{model}-{row['batch']}x{row['size']}-{row['dropout']}"
            yield pytest.param(model, row, id=name)


@pytest.mark.parametrize(("model", "row"), list(full_size()))
def test_full_size_models_keep_what_torch_keeps(model, row):
    """GPT-2 up to XL and T5: the schedule writes out a few layers and weighs the others, and the sum is exact all the
    same. T5's biases by distance, their ids and the encoder's output are kept once for all layers."""
    off = PROBABILITIES["gpt2"] if model.startswith("gpt2") else ("dropout_rate",)
    overrides = dict.fromkeys(off, 0.0) if row["dropout"] == "0" else {}
    steps = scheduled(model, attention="eager", loss="sum", batch=row["batch"], seq_len=row["size"], set=overrides)
    assert saved_bytes(steps) == row["bytes"]
    assert len(steps.calls) < (500 if model.startswith("gpt2") else 1000)  # T5 has two stacks


def test_the_worksheets_model_by_hand():
    """The union of storages is the whole secret: 23 tensors of tokens × d_model (8,192 bytes), 10 of 16,384 (per layer
    the softmax output and gate, silu, up, product), 2 masks of 1,024 and 5 rsqrt columns of 128."""
    run = {"batch": 1, "seq": 32, "attn": "eager", "dropout": 0.0, "checkpointing": False}
    found = saved_storages(saved_uses(tiny("transformer-lm", run, "sum")))
    sizes = sorted(item.bytes for item in found if item.storage.kind == ACTIVATION)
    assert sizes == sorted(23 * [32 * 64 * 4] + 10 * [32 * 128 * 4] + 2 * [32 * 32] + 5 * [32 * 4])
    assert sum(sizes) == 23 * 8_192 + 10 * 16_384 + 2 * 1_024 + 5 * 128 == 354_944


@pytest.mark.parametrize("width", [2, 4])
def test_a_gpt2_block_on_a_gpu_keeps_the_published_bytes(width):
    """(16B + 2) s b h + (2B + 1) a s² b + 16 s b with dropout and attention written out, for gelu in one kernel
    (Korthikanti et al., 2022, and the LayerNorm statistics that they leave out): the difference of one layer more."""
    s, b, h, a = 32, 3, 64, 4
    options = {"batch": b, "seq_len": s, "attention": "eager", "dtype": {2: "bf16", 4: "fp32"}[width]}

    def layers(count):
        overrides = {
            **TINY["gpt2"],
            "n_layer": count,
            "activation_function": "gelu",
            **dict.fromkeys(PROBABILITIES["gpt2"], 0.1),
        }
        return saved_bytes(scheduled("gpt2", "torch-eager-cuda", set=overrides, **options))

    expected = (16 * width + 2) * s * b * h + (2 * width + 1) * a * s * s * b + 16 * s * b
    assert layers(9) - layers(8) == expected


def test_fused_attention_without_dropout_on_a_gpu():
    """32 s b h + 4 a s b + 16 s b + 24 in bf16: no scores, the logsumexp in float32, the random state."""
    s, b, h, a = 32, 3, 64, 4

    def layers(count):
        overrides = {
            **TINY["gpt2"],
            "n_layer": count,
            "activation_function": "gelu",
            **dict.fromkeys(PROBABILITIES["gpt2"], 0.0),
        }
        return saved_bytes(
            scheduled("gpt2", "torch-eager-cuda", batch=b, seq_len=s, dtype="bf16", attention="fused", set=overrides)
        )

    assert layers(9) - layers(8) == 32 * s * b * h + 4 * a * s * b + 16 * s * b + 24


def test_folded_equals_unrolled():
    """The weighed middle repetition stands for all that it replaces, whatever the depth."""
    for depth in (1, 2, 3, 4, 5, 6, 11):
        graph = graphacct.build(
            "gpt2", attention="eager", phase="train", seq_len=16, batch=2, set={**TINY["gpt2"], "n_layer": depth}
        )
        totals = [saved_bytes(scheduled(form)) for form in (graph, graph.unroll())]
        assert totals[0] == totals[1]


def test_a_frozen_model_keeps_nothing():
    """Without a parameter to train no gradient flows, and nothing is kept."""
    options = {"attention": "eager", "seq_len": 16, "set": TINY["gpt2"]}
    assert not list(saved_uses(scheduled("gpt2", "declared", trained=lambda parameter: False, **options)))
