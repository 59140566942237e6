"""Explanations of a training step: the parts of every quantity add up to the report's figures, node by node."""

import json
from functools import cache

import pytest

import graphacct
from graphacct.dims import same
from graphacct.explanations.explanation import explain

GPT2 = {"n_layer": 3, "n_embd": 64, "n_head": 4, "vocab_size": 512, "n_positions": 32}
LM = {"vocab_size": 512, "context_length": 128, "d_model": 64, "n_layer": 3, "n_head": 4, "d_ff": 128}
DROPOUT = {"attn_pdrop": 0.1, "resid_pdrop": 0.1, "embd_pdrop": 0.1}
NO_DROPOUT = dict.fromkeys(DROPOUT, 0.0)
CASES = {
    "gpt2 eager": ("gpt2", {"seq_len": 16, "set": GPT2, "attention": "eager"}),
    "gpt2 fused, batch 2": ("gpt2", {"seq_len": 16, "batch": 2, "set": {**GPT2, **NO_DROPOUT}, "attention": "fused"}),
    "gpt2 on a cpu": ("gpt2", {"seq_len": 16, "set": GPT2, "attention": "fused", "profile": "torch-eager-cpu"}),
    "gpt2 recomputed": ("gpt2", {"seq_len": 16, "set": GPT2, "recompute": "full"}),
    "gpt2 attention recomputed": ("gpt2", {"seq_len": 16, "set": GPT2, "attention": "eager", "recompute": "selective"}),
    "gpt2 with frozen embeddings": ("gpt2", {"seq_len": 16, "set": GPT2, "freeze": ["transformer.w?e.*"]}),
    "gpt2 with a frozen layer": ("gpt2", {"seq_len": 16, "set": GPT2, "freeze": ["transformer.h.1.*"]}),
    "gpt2 under matmul": ("gpt2", {"seq_len": 16, "set": GPT2, "convention": "matmul"}),
    "transformer-lm": ("transformer-lm", {"seq_len": 16, "set": LM, "loss": "cross_entropy"}),
    "transformer-lm on a cpu": ("transformer-lm", {"seq_len": 16, "set": LM, "profile": "torch-eager-cpu"}),
    "resnet34": ("resnet34", {"image_size": 64, "batch": 2}),
}
BYTES = ("gradient_bytes", "optimizer_state_bytes")


@cache
def explained(case):
    """The nodes of a case, each with its explanation."""
    model, options = CASES[case]
    report = graphacct.account(model, phase="train", **options)
    return [(record, explain(report, record.node.name)) for record in report.annotated.costs]


@pytest.mark.parametrize("case", CASES)
def test_the_parts_add_up_to_every_figure(case):
    """For every node, each training quantity is the sum of the parts that are named: gradients operand by operand, the
    step of its three, what is kept storage by storage, the peak of what is alive."""
    for record, found in explained(case):
        lines = {line.quantity: line for line in found.lines}
        figure = {name: line.total for name, line in lines.items()}
        for kind in ("matmul_flops", "flops"):
            assert lines[f"forward_{kind}"].value == figure[kind], record.node.name
            for part in ("input_grad", "weight_grad", "recompute", "optimizer"):
                line = lines[f"{part}_{kind}"]
                assert sum(part.total for part in line.parts) == line.exact
                if case != "gpt2 under matmul" or kind == "matmul_flops":
                    assert line.exact == line.total, (record.node.name, line)
            step = figure[f"forward_{kind}"] + figure[f"input_grad_{kind}"] + figure[f"weight_grad_{kind}"]
            assert figure[f"step_{kind}"] == step
            assert figure[f"hardware_{kind}"] == step + figure[f"recompute_{kind}"]
        for name in BYTES:
            assert sum(part.total for part in lines[name].parts) == figure[name]
        assert sum(item.total for item in found.saved) == figure["saved_bytes"], record.node.name
        assert sum(item.bytes for item in found.alive) == figure["peak_bytes"], record.node.name
        assert sum(item.bytes for item in found.backward_alive) == figure["backward_peak_bytes"], record.node.name
        for line in found.lines:
            for part in line.parts:
                assert same(part.total, part.each * part.times)


def test_every_gradient_has_a_formula():
    """Nothing that a gradient does is a bare number: each part has a formula in the names of the signature."""
    for case in CASES:
        for record, found in explained(case):
            for line in found.lines:
                for part in line.parts:
                    if line.quantity.startswith(("input_grad", "weight_grad")):
                        assert part.formula, (record.node.name, part)
                        assert part.substituted, (record.node.name, part)


def tiny(**options):
    options = {"attention": "eager", **options, "set": {**GPT2, **options.get("set", {})}}
    return graphacct.account("gpt2", phase="train", seq_len=16, **options)


def test_gradients_are_explained_operand_by_operand():
    """A linear layer: its input's gradient and its weight's, each 2 · 16 tokens · 64 · 256 in 3 layers, and the
    bias's, a sum."""
    text = str(explain(tiny(), "mlp.c_fc"))
    assert "x: 2 · batch · k · n = 2 · 16 · 64 · 256 = 524,288, 3 times: 1,572,864" in text
    assert "weight: 2 · batch · k · n = 2 · 16 · 64 · 256 = 524,288, 3 times: 1,572,864" in text
    assert "bias: batch · n = 16 · 256 = 4,096, 3 times: 12,288" in text


def test_what_has_no_gradient_says_why():
    """Token ids, buffers, what is frozen, and what nothing that is trained leads to."""
    assert "gradients   ids: no gradient, its dtype, int64, carries none" in str(explain(tiny(), "wte"))
    frozen = tiny(freeze=["transformer.w?e.*"], set=dict.fromkeys(DROPOUT, 0.0))
    assert explain(frozen, "wte").notes[1] == "weight: no gradient, frozen by the glob transformer.w?e.*"
    assert explain(frozen, "ln_1").notes == ("x: no gradient in 1 of 3 runs, nothing before it is trained",)
    assert explain(tiny(freeze=["*.mlp.c_fc.weight"]), "mlp.c_fc").notes == (
        "weight: no gradient, frozen by the glob *.mlp.c_fc.weight",
    )
    image = graphacct.account("resnet50", phase="train", image_size=64)
    assert explain(image, "conv1").notes == ("x: no gradient, it is an input of the model",)
    assert "running_mean: no gradient, it is a buffer" in explain(image, "bn1").notes
    kept = {item.name: item.counted for item in explain(image, "bn1").saved}
    assert (kept["weight"], kept["running_mean"]) == ("not counted: a parameter", "not counted: a buffer")


def test_what_is_kept_says_why_and_where_it_counts():
    """Softmax keeps its output; its dropout's mask is its own; the next product keeps parameters that count nowhere,
    and what another node keeps already counts there."""
    report = tiny(set=DROPOUT, dtype="fp32")
    assert (
        "out float32[1, 4, 16, 16]: 4,096 bytes, 3 times: 12,288; kept because softmax's backward needs it: "
        "the gradient is out * (g - sum(g * out))"
    ) in str(explain(report, "softmax"))
    assert "mask bool[1, 4, 16, 16]: 1,024 bytes, 3 times: 3,072; kept because" in str(explain(report, "attn_dropout"))
    linear = str(explain(report, "mlp.c_fc"))
    assert "weight float32[64, 256], not counted: a parameter (linear_in_out's backward needs it: " in linear
    assert "x float32[16, 64], a view of transformer.h.*.ln_2: 4,096 bytes, 3 times: 12,288;" in linear
    values = explain(report, "attn.values").saved
    assert [(item.name, item.made_by, item.view) for item in values] == [
        ("x", "transformer.h.*.attn.attn_dropout", True),
        ("y", "transformer.h.*.attn.c_attn", True),
    ]
    assert values[1].counted == "kept by transformer.h.*.attn.scores, counted there"


def test_what_is_alive_names_who_needs_it():
    """The peak of a node lists the largest first, each with whom it is kept for."""
    text = str(explain(tiny(set=DROPOUT, dtype="fp32"), "softmax", "peak_bytes"))
    assert "12,288 bytes: transformer.h.*.attn.softmax ×3, kept for itself" in text
    assert "32,768 bytes: transformer.h.*.mlp.c_fc ×2, kept for transformer.h.*.mlp.act" in text  # 2 · 16 · 256 · 4


def test_what_is_alive_in_the_backward_pass():
    """The softmax of the first layer to go back: its new gradient, 4 heads · 16 · 16 · 4 bytes, beside that of the
    dropout behind it, what all 3 layers saved, and the head's gradient, which waits for the embedding's."""
    found = explain(tiny(set=DROPOUT, dtype="fp32"), "softmax", "backward_peak_bytes")
    assert found.alive == (), "its peak in the forward pass was not asked for"
    there = [(item.node.rpartition(".")[2], item.count, item.bytes, item.why) for item in found.backward_alive]
    in_use = "of the backward pass, in use"
    assert there[0] == ("lm_head", 1, 512 * 64 * 4, in_use)
    assert ("softmax", 1, 4 * 16 * 16 * 4, in_use) in there
    assert ("attn_dropout", 1, 4 * 16 * 16 * 4, in_use) in there
    assert ("softmax", 3, 3 * 4 * 16 * 16 * 4, "the gradient is out * (g - sum(g * out))") in there
    text = str(found)
    assert f"backward_peak_bytes = {sum(item.bytes for item in found.backward_alive):,}\n      131,072 bytes: " in text
    assert "32,768 bytes: transformer.h.*.mlp.c_fc ×2, kept for transformer.h.*.mlp.act" in text


def test_recomputed_nodes_say_so():
    """The forward pass that is run again is a part of its own, and nothing inside is kept."""
    found = explain(tiny(recompute="full"), "mlp.c_fc")
    again = next(line for line in found.lines if line.quantity == "recompute_matmul_flops")
    assert [(part.name, part.total) for part in again.parts] == [("the forward pass, run again", 3 * 2 * 16 * 64 * 256)]
    assert all(item.counted for item in found.saved)


def test_fused_attention_tells_its_five_products_apart():
    """Four products are gradients, 8 · 4 heads · 16 · 16 · 16 in each of 3 layers; the fifth is the scores again."""
    found = explain(tiny(attention="fused"), "sdpa")
    parts = {line.quantity: line.parts for line in found.lines}
    assert [part.name for part in parts["input_grad_matmul_flops"]] == ["q and k and v"]
    assert sum(part.total for part in parts["input_grad_matmul_flops"]) == 3 * 8 * 4 * 16 * 16 * 16
    assert sum(part.total for part in parts["recompute_matmul_flops"]) == 3 * 2 * 4 * 16 * 16 * 16


def test_a_scopes_peak_is_the_largest_of_its_parts():
    """Bytes that are kept add up, peaks do not."""
    report = tiny()
    lines = {line.quantity: line for line in explain(report, "transformer.h.*").lines}
    rows = {row.path: row.values for row in report.by_scope}
    parts = [rows[path] for path in rows if path.startswith("transformer.h.*.") and path.count(".") == 3]
    assert lines["saved_bytes"].total == sum(part["saved_bytes"] for part in parts)
    assert lines["peak_bytes"].total == max(part["peak_bytes"] for part in parts)
    assert lines["peak_bytes"].formula.startswith("the largest of ln_1; attn; ")
    assert " + " in lines["saved_bytes"].formula


def test_a_forward_pass_says_nothing_of_gradients():
    """What belongs to a training step is printed in a training step alone."""
    for node in "softmax", "mlp.c_fc", "transformer.h.*.mlp":
        forward = str(explain(graphacct.account("gpt2", seq_len=16, set=GPT2, attention="eager"), node))
        assert not any(word in forward.lower() for word in ("backward", "grad", "kept", "saved", "step")), forward
    assert "gradients   Backward: 4 per element" in str(explain(tiny(), "softmax"))


def test_one_quantity_alone_comes_without_the_others():
    """Asked for what it keeps, a node says that."""
    found = explain(tiny(), "softmax", "saved_bytes")
    assert [line.quantity for line in found.lines] == ["saved_bytes"]
    assert (found.notes, found.gradient_source, found.alive) == ((), "", ())
    assert explain(tiny(), "softmax", "input_grad_flops").saved == ()


def test_an_explanation_is_plain_values():
    """JSON holds all of it, totals as integers."""
    found = json.loads(json.dumps(explain(tiny(), "mlp.c_fc").to_dict()))
    line = next(line for line in found["lines"] if line["quantity"] == "weight_grad_flops")
    assert [part["name"] for part in line["parts"]] == ["weight", "bias"]
    assert sum(part["total"] for part in line["parts"]) == line["total"]
    assert found["saved"][0]["total"] == found["saved"][0]["bytes"] * found["saved"][0]["times"]


def test_sizes_may_be_symbols():
    """What is kept is a formula where a size is one."""
    sympy = pytest.importorskip("sympy")
    batch = sympy.Symbol("B", integer=True, positive=True)
    found = explain(tiny(batch=batch), "softmax")
    total = next(line.total for line in found.lines if line.quantity == "saved_bytes")
    assert sympy.expand(sum(item.total for item in found.saved) - total) == 0
    assert found.alive == ()
