"""Reconciliations: each term by name, and all of them sum to the difference."""

from __future__ import annotations

from itertools import pairwise

import pytest

import graphacct
from graphacct.hooks.manager import default

S, NORMS, LAYERS, HEADS, WIDTH = 8192, 65 * 4096, 32, 32, 4096
"""Llama 3 8B: 65 norms of 4,096."""
CORE = 12 * LAYERS * WIDTH * S**2


def terms(model: str, between: str, and_: str, **options: int) -> dict[str, object]:
    found = graphacct.reconcile(model, between=between, and_=and_, **options)  # type: ignore[arg-type]
    assert sum(term.flops for term in found.terms) == found.difference == found.to_flops - found.from_flops
    return {term.name: term.flops for term in found.terms}


def test_why_torchtitan_differs_from_the_products() -> None:
    """pytorch/torchtitan#452: the norms' gains are parameters, 6 · s · 266,240."""
    assert terms("llama-3-8b", "matmul", "torchtitan", seq_len=S) == {"norms": 6 * S * NORMS}


def test_why_the_trainer_of_transformers_differs() -> None:
    """huggingface/transformers PR 6768: attention's products are missing, norms are there."""
    assert terms("llama-3-8b", "matmul", "hf-trainer", seq_len=S) == {"attention": -CORE, "norms": 6 * S * NORMS}


def test_why_megatron_differs_since_2025() -> None:
    """NVIDIA/Megatron-LM PR 3280: half of the pairs are hidden; before that nothing differs."""
    assert terms("llama-3-8b", "matmul", "megatron", seq_len=S) == {}
    assert terms("llama-3-8b", "matmul", "megatron-2025", seq_len=S) == {"mask": -CORE // 2}


def test_why_nanogpt_differs() -> None:
    """karpathy/nanoGPT#182: norms and biases have no product, 6 · 1,024 · 121,344."""
    found = terms("gpt2", "matmul", "nanogpt", seq_len=1024)
    assert found == {"norms": 6 * 1024 * 25 * 2 * 768, "biases": 6 * 1024 * 12 * 9 * 768}
    assert sum(found.values()) == 6 * 1024 * 121_344  # type: ignore[arg-type]


def test_a_table_that_is_looked_up_is_no_product() -> None:
    found = terms("llama-3-8b", "torchtitan", "palm-mfu", seq_len=S)
    assert found == {"embeddings": 6 * S * 128_256 * 4096}


def test_layers_that_run_again_are_a_term() -> None:
    """A quarter more: each layer's products and scores once more, not the head's."""
    layers = 24 * 64 * 12 * 768**2 + 4 * 12 * 768 * 64**2
    assert terms("gpt2", "megatron", "megatron-recompute", seq_len=64) == {"recompute": layers}


def test_an_image_model_lacks_the_gradient_of_its_images() -> None:
    """Nothing needs the gradient of the pixels, which three times the forward pass would have."""
    found = graphacct.reconcile("vit-base-patch16-224", between="matmul", and_="macs")
    assert found.difference == -found.from_flops // 2


@pytest.mark.parametrize("model", ["gpt2", "mixtral-8x7b", "t5-small", "deepseek-v2-lite"])
def test_every_two_conventions_sum(model: str) -> None:
    """The terms sum to the difference of the totals that reports print, whichever two are compared."""
    names = [*default().conventions]
    total = {
        name: graphacct.account(model, convention=name, phase="train", quantities=["step_flops"], seq_len=8)
        for name in names
    }
    for one, other in pairwise(names):
        found = graphacct.reconcile(model, between=one, and_=other, seq_len=8)
        assert found.from_flops == total[one].total["step_flops"]
        assert sum(term.flops for term in found.terms) == total[other].total["step_flops"] - found.from_flops


def test_a_formula_stays_one_of_sizes() -> None:
    import sympy

    s = sympy.Symbol("s", integer=True, positive=True)
    found = graphacct.reconcile("gpt2", between="matmul", and_="nanogpt", seq_len=s)
    assert sympy.expand(found.difference) == 6 * 121_344 * s


def test_what_the_models_own_code_runs_again_is_no_part_of_a_formula() -> None:
    """A node that runs twice is a term of the exact step, and the report under a formula is the reconciled figure."""
    b = graphacct.Builder("net", default().operators, workload={"batch": 1, "seq_len": 4, "phase": "train"})
    y = b.apply("linear", b.input("x", (4, 8)), b.parameter("fc.weight", (8, 8)), name="fc")
    graph = b.graph(b.apply("sum", y, name="loss"))
    fc = graphacct.evolve(graph.nodes[0], rerun=graphacct.Rerun(1))
    graph = graphacct.evolve(graph, nodes=(fc, *graph.nodes[1:]))
    found = graphacct.reconcile(graph, between="matmul", and_="6nd")
    assert found.to_flops == graphacct.account(graph, convention="6nd", phase="train").total["step_flops"] == 6 * 64 * 4
    assert {term.name: term.flops for term in found.terms}["recompute"] == -2 * 64 * 4


def test_the_phase_is_a_training_step_or_a_forward_pass() -> None:
    with pytest.raises(graphacct.ConfigError, match="of a training step are reconciled, or of a forward pass"):
        graphacct.reconcile("gpt2", and_="6nd", phase="decode")
    with pytest.raises(graphacct.ConfigError, match="optimizer: of a training step alone"):
        graphacct.reconcile("gpt2", and_="6nd", phase="forward", optimizer="sgd")


@pytest.mark.parametrize("convention", sorted(default().conventions))
def test_a_forward_pass_under_every_convention(convention: str) -> None:
    """The terms sum to the difference of what reports of a forward pass print; `terms` checks that they sum."""
    found = graphacct.reconcile("mixtral-8x7b", and_=convention, phase="forward", seq_len=8)
    report = graphacct.account("mixtral-8x7b", convention=convention, quantities=["flops"], seq_len=8)
    assert found.to_flops == report.total["flops"]
    assert found.difference == sum(term.flops for term in found.terms)
    assert "backward" not in {term.name for term in found.terms}
    assert not found.forward_alone


def test_what_counts_a_forward_pass_alone_lacks_the_backward_pass() -> None:
    """fvcore counts no backward pass: what the step has of it is one term, and the others are the forward pass's."""
    options = {"between": "exact", "and_": "fvcore", "seq_len": 64}
    step = graphacct.reconcile("gpt2", **options)  # type: ignore[arg-type]
    forward = graphacct.reconcile("gpt2", **options, phase="forward")  # type: ignore[arg-type]
    total = graphacct.account("gpt2", phase="train", seq_len=64).total
    of_step = {term.name: term.flops for term in step.terms}
    assert of_step.pop("backward") == total["forward_flops"] - total["step_flops"]
    assert sum(of_step.values()) == step.to_flops - total["forward_flops"]
    of_forward = {term.name: term.flops for term in forward.terms}
    loss = "element-wise"  # a step computes it too
    assert {**of_step, loss: 0} == {**of_forward, loss: 0}
    assert step.forward_alone == ("fvcore",)
    assert "fvcore counts a forward pass alone" in str(step)
    assert "a forward pass" in str(forward)


def test_gradients_that_nothing_needs_are_of_frozen_weights_too() -> None:
    """Formulas count two products backward for each forward; a frozen weight's own gradient is not computed."""
    found = terms("gpt2", "megatron", "matmul", seq_len=64, freeze=["*.mlp.*"])  # type: ignore[arg-type]
    assert found == {"gradients": -2 * 64 * 12 * 2 * 768 * 3072}


def test_masks_of_one_convention() -> None:
    """What a mask hides is a term; the JSON has names and masks apart, the table both together."""
    found = graphacct.reconcile("gpt2", between="matmul", and_="matmul:causal", seq_len=64)
    assert {term.name: term.flops for term in found.terms} == {"mask": -12 * 12 * 768 * (64 * 64 - 64 * 65 // 2)}
    plain = found.to_dict()
    assert (plain["from"], plain["from_mask"], plain["to"], plain["to_mask"]) == ("matmul", "full", "matmul", "causal")
    assert "matmul:causal" in str(found)
    both = graphacct.reconcile("gpt2", between="exact", and_="palm-mfu", mask="causal", seq_len=64)
    for name, flops in (("exact", both.from_flops), ("palm-mfu", both.to_flops)):
        report = graphacct.account("gpt2", convention=name, mask="causal", phase="train", seq_len=64)
        assert report.total["step_flops"] == flops
