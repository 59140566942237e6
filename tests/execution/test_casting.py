"""16 bits and autocast on a CPU, against torch: what is kept, copies of parameters told apart, and the forward peak."""

import json

import pytest
from each import each
from runs import GOLDENS, scheduled

import graphacct
from graphacct import memory
from graphacct.execution.kernels import ACTIVATION
from graphacct.execution.saved_storages import saved_storages, saved_uses
from graphacct.footprint.liveness import live_bytes

TRUTH = json.loads((GOLDENS / "act-precision" / "truth.json").read_text())
DROPOUT = ("attn_pdrop", "resid_pdrop", "embd_pdrop")
AUTOCAST, NO_GRAD = "autocast", "none"


def options(run):
    """A measured run as graphacct is asked for it."""
    phase = {"phase": "forward"} if run["loss"] == NO_GRAD else {"phase": "train", "loss": run["loss"]}
    sizes = dict(TRUTH["sizes"][run["model"]])
    if run["model"] == "gpt2":
        sizes |= dict.fromkeys(DROPOUT, run["dropout"])
    return {
        **{key: run[key] for key in ("batch", "seq_len", "attention")},
        **phase,
        "set": sizes,
        "dtype": "float32" if run["mode"] == AUTOCAST else run["mode"],
    }


def profile(run):
    return "torch-autocast-cpu" if run["mode"] == AUTOCAST else "torch-eager-cpu"


@each("run", TRUTH["runs"])
def test_what_is_kept_and_the_peak_are_torchs(run):
    """To the byte: activations, the copies of weights that autocast keeps, and the most that is alive at once."""
    steps = scheduled(
        graphacct.build(run["model"], **options(run)),
        profile(run),
        trained=lambda parameter: run["loss"] != NO_GRAD and parameter.trainable,
    )
    found = [item for item in saved_storages(saved_uses(steps)) if item.storage.kind == ACTIVATION]
    copies = [item for item in found if item.storage.copy_of]
    assert sum(item.bytes for item in found) - sum(item.bytes for item in copies) == run["activation_bytes"]
    assert (sum(item.bytes for item in copies), len(copies)) == (run["copy_bytes"], run["copy_storages"])
    assert max(live_bytes(steps, found)) == run["forward_peak"]


def test_each_product_of_a_float32_model_keeps_a_copy_of_its_weight():
    """Under autocast GPT-2 of width h keeps 12 h² elements a layer in bfloat16 (c_attn 3 h², c_proj h², the two of the
    MLP 4 h² each) and the tied head's v h, once: 2 (3 · 12 · 48² + 101 · 48) = 175,584 bytes, as measured."""
    run = next(r for r in TRUTH["runs"] if r["mode"] == AUTOCAST and r["model"] == "gpt2")
    found = memory("gpt2", profile="torch-autocast-cpu", **options(run))
    assert found.saved_weight_copies == 2 * (3 * 12 * 48**2 + 101 * 48) == 175_584 == run["copy_bytes"]
    assert found.saved_activations == run["activation_bytes"] + run["copy_bytes"]
    assert found.forward_peak == run["forward_peak"]


@pytest.mark.parametrize("profile", ["torch-autocast-cpu", "torch-autocast-cuda", "torch-eager-cuda-composed-norms"])
@pytest.mark.parametrize("model", ["gpt2", "transformer-lm"])
def test_folded_equals_unrolled(model, profile):
    """Copies of parameters last to the end of the pass in every repetition: peak and kept bytes do not depend on how
    the layers are written."""
    for depth in (1, 2, 4, 9):
        sizes = {**TRUTH["sizes"][model], "n_layer": depth}
        graph = graphacct.build(model, phase="train", seq_len=16, batch=2, set=sizes)
        figures = []
        for form in (graph, graph.unroll()):
            steps = scheduled(form, profile)
            found = [item for item in saved_storages(saved_uses(steps)) if item.storage.kind == ACTIVATION]
            peak = max(live_bytes(steps, found))
            figures.append((sum(item.bytes for item in found), peak))
        assert figures[0] == figures[1]


def test_parameters_and_gradients_stay_float32_under_autocast():
    """Autocast casts while it runs: 4 + 4 + 8 bytes a parameter with AdamW, and no other copy of them."""
    found = memory("gpt2", profile="torch-autocast-cuda", seq_len=32)
    params = graphacct.account("gpt2").total["params"]
    assert (found.parameters, found.gradients, found.optimizer_state) == (4 * params, 4 * params, 8 * params)
    assert found.master == "none"


def test_autocast_on_a_gpu_keeps_norms_in_float32():
    """A layer of width h on CUDA, fused attention, no dropout, gelu in one kernel, in bytes for each of s b h: the two
    LayerNorms keep their inputs in float32 (8), their outputs' bfloat16 copies are kept (4); q, k, v and the
    attention's output take 8, gelu's input and output 16. That is 36 where a bfloat16 model has 32 (its residuals have
    half the width). Statistics, logsumexp and random state as ever; and 12 h² weights in bfloat16."""
    s, b, h, a = 32, 3, 64, 4
    sizes = {"vocab_size": 512, "n_positions": 128, "n_embd": h, "n_head": a, "activation_function": "gelu"}
    off = dict.fromkeys(DROPOUT, 0.0)

    def layers(count):
        shape = {**sizes, **off, "n_layer": count}
        return memory("gpt2", profile="torch-autocast-cuda", batch=b, seq_len=s, set=shape)

    more, fewer = layers(9), layers(8)
    copies = more.saved_weight_copies - fewer.saved_weight_copies
    assert copies == 2 * 12 * h * h
    kept_bytes = more.saved_activations - fewer.saved_activations
    assert kept_bytes - copies == 36 * s * b * h + 4 * a * s * b + 16 * s * b + 24


def test_without_gradients_copies_of_weights_last_to_the_end():
    """Parameters of a pass without gradients still ask for them, so autocast caches their copies: in each of 3 layers
    12 h² elements and 9 h of biases (3 h, h, 4 h, h), and the head's v h, all alive at the last kernel. So are the
    logits."""
    h, v = 48, 101
    found = memory(
        "gpt2", phase="forward", profile="torch-autocast-cpu", batch=1, seq_len=24, set=TRUTH["sizes"]["gpt2"]
    )
    copies = 2 * (3 * (12 * h * h + 9 * h) + v * h)
    last = found.timeline[-1]
    assert (last.node, last.live_bytes) == ("lm_head", copies + 2 * 24 * v)
