"""The training step: gradient work against torch's counter, frozen parameters, and the columns of the report."""

import json
from pathlib import Path

import attrs
import pytest
import strategies
from draws import examples
from hypothesis import given

import graphacct
from graphacct import memory
from graphacct.costs.step import StepMemory
from graphacct.costs.step_quantities import MEMORY
from graphacct.errors import ConfigError, GraphError, OperatorError, UnknownNameError

GOLDENS = Path(__file__).parents[1] / "goldens"
CASES = {
    "gpt2": "gpt2",
    "gpt2-medium": "gpt2-medium",
    "gpt2-large": "gpt2-large",
    "gpt2-xl": "gpt2-xl",
    "transformer-lm-small-dff6400": "transformer-lm-small",
    "transformer-lm-xl-dff6400": "transformer-lm-xl",
}
TINY = {"n_layer": 3, "n_embd": 64, "n_head": 4, "vocab_size": 512, "n_positions": 32}


def steps():
    """The measured training steps: forward and backward, the loss being the sum of the outputs."""
    for case, model in CASES.items():
        for row in json.loads((GOLDENS / case / "truth.json").read_text())["train_step"]:
            yield pytest.param(model, row, id=f"{case}-{row['batch']}x{row['seq']}")


def trained(model="gpt2", **options):
    return graphacct.account(model, **{"phase": "train", "loss": "sum", **options})


def tiny(**options):
    return trained(seq_len=16, set=TINY, convention="matmul", **options)


@pytest.mark.parametrize(("model", "row"), list(steps()))
def test_a_step_is_what_torchs_counter_measures(model, row):
    """Forward and backward contractions to the unit; attention written out, as it was measured."""
    report = trained(model, batch=row["batch"], seq_len=row["seq"], convention="matmul")
    assert report.total["step_matmul_flops"] == row["total"]


def test_forward_input_and_weight_gradients_are_told_apart():
    """A linear layer's three products are of one size; attention's two have two input gradients each and no weight."""
    report = tiny(attention="eager")
    linear = 2 * 16 * 64 * 192  # c_attn: tokens × width × 3 width, 2 per multiply-add
    for quantity in ("forward", "input_grad", "weight_grad"):
        assert report["transformer.h.*.attn.c_attn"].values[f"{quantity}_matmul_flops"] == 3 * linear
    scores = report["transformer.h.*.attn.scores"].values
    assert scores["input_grad_matmul_flops"] == 2 * scores["forward_matmul_flops"]
    assert scores["weight_grad_matmul_flops"] == 0
    assert report["transformer.wte"].values["step_matmul_flops"] == 0  # a lookup, and ids have no gradient


def test_the_parts_sum_to_the_step():
    """Forward, input gradients and weight gradients are the step, in total and in every row, under every convention."""
    for convention in ("exact", "matmul"):
        report = trained(seq_len=16, set=TINY, convention=convention)
        for values in (report.total, *(row.values for row in report.by_scope)):
            for kind in ("matmul_flops", "flops"):
                parts = sum(values[f"{part}_{kind}"] for part in ("forward", "input_grad", "weight_grad"))
                assert values[f"step_{kind}"] == parts


def test_folded_equals_unrolled():
    """Every quantity of a step, peaks included, is that of the model written out."""
    graph = graphacct.build("gpt2", phase="train", seq_len=16, batch=2, set={**TINY, "n_layer": 7})
    assert graphacct.account(graph).total == graphacct.account(graph.unroll()).total


@examples(25)
@given(strategies.graphs())
def test_gradients_of_any_graph_are_those_of_it_written_out(graph):
    """Gradient work of random graphs: what needs a gradient may change from one repetition to the next."""
    step = attrs.evolve(graph, workload={"phase": "train"})
    folded, flat = (graphacct.account(form).total for form in (step, step.unroll()))
    assert folded == flat


def test_gradients_that_come_and_go_need_a_number():
    """Two carried values that change places, one of which needs a gradient: repetitions differ by turns, so that a
    symbolic count has no formula; a number has."""
    sympy = pytest.importorskip("sympy")

    def swapped(times):
        builder = graphacct.Builder("swapped", workload={"phase": "train"})
        x = builder.input("x", (2, 3))
        y = builder.apply("linear", x, builder.parameter("weight", (3, 3)), name="fc")
        body = lambda b, left, right: (right, b.apply("relu", left, name="act"))  # noqa: E731
        return builder.graph(*builder.repeat("h", times, body, x, y))

    assert graphacct.account(swapped(5)).total == graphacct.account(swapped(5).unroll()).total
    with pytest.raises(GraphError, match=r"block 'h\.\*' carries values that change places"):
        graphacct.account(swapped(sympy.Symbol("L", integer=True, positive=True)))


def test_a_frozen_embedding_spares_the_first_layers_input_gradient():
    """With the embeddings frozen no gradient flows into the first layer: its first product has a weight gradient
    alone, in the other layers it has both."""
    report = tiny(freeze=["transformer.wte.*", "transformer.wpe.*"])
    row = report["transformer.h.*.attn.c_attn"].values
    norm = report["transformer.h.*.ln_1"].values
    assert norm["input_grad_flops"] == 0  # under `matmul`
    linear = 2 * 16 * 64 * 192
    assert row["input_grad_matmul_flops"] == 3 * linear  # of ln_1's output, whose weights are trained
    exact = trained(seq_len=16, set=TINY, freeze=["transformer.wte.*", "transformer.wpe.*"])["transformer.h.*.ln_1"]
    whole = trained(seq_len=16, set=TINY)["transformer.h.*.ln_1"]
    assert 3 * exact.values["input_grad_flops"] == 2 * whole.values["input_grad_flops"]  # two of three layers


def test_a_frozen_layer_passes_gradients_on():
    """Frozen matrices have no weight gradient, but the layers below still need the gradient of their input."""
    report = tiny(freeze=["transformer.h.*.mlp.c_fc.*"])
    row = report["transformer.h.*.mlp.c_fc"].values
    assert row["weight_grad_matmul_flops"] == 0
    assert row["input_grad_matmul_flops"] == row["forward_matmul_flops"]


def test_one_layer_of_a_block_can_be_frozen():
    """A glob with a layer's index writes the model out: the rows stay, with two of three layers' weight gradients."""
    row = tiny(freeze=["transformer.h.1.*"])["transformer.h.*.mlp.c_fc"].values
    assert 3 * row["weight_grad_matmul_flops"] == 2 * row["forward_matmul_flops"]


def test_a_tied_head_is_frozen_with_its_embedding():
    """The head's weight is the embedding's storage: freezing either freezes both."""
    for glob in ("transformer.wte.weight", "lm_head.weight"):
        assert tiny(freeze=[glob])["lm_head"].values["weight_grad_matmul_flops"] == 0


def test_saved_and_peak_bytes_are_in_the_report():
    """Saved bytes add up over the rows, the peak is the largest of them; both are of the training phase alone."""
    report = trained("gpt2", seq_len=64, profile="torch-eager-cpu")
    leaves = [row.values for row in report.by_scope if row.operator]
    assert sum(values["saved_bytes"] for values in leaves) == report.total["saved_bytes"]
    assert max(values["peak_bytes"] for values in leaves) == report.total["peak_bytes"] > report.total["saved_bytes"]
    assert "saved_bytes" not in graphacct.account("gpt2", seq_len=64).total
    assert report.workload["profile"] == "torch-eager-cpu"


def test_recomputation_keeps_less_and_works_more():
    """Running every block again keeps the blocks' inputs alone and costs their forward pass once more; the attention
    core keeps no scores; the step, which is what the model asks for, stays."""
    reports = {what: tiny(recompute=what, attention="eager") for what in ("none", "selective", "full", "*.mlp.act")}
    saved = {what: report.total["saved_bytes"] for what, report in reports.items()}
    assert saved["full"] < saved["selective"] < saved["none"]
    assert saved["none"] - saved["*.mlp.act"] == 3 * 3 * 16 * 256 * 4  # of GELU's four tensors, its input stays
    blocks = reports["none"]["transformer.h.*"].values["matmul_flops"]
    core = sum(reports["none"][f"transformer.h.*.attn.{name}"].values["matmul_flops"] for name in ("scores", "values"))
    again = {what: report.total["recompute_matmul_flops"] for what, report in reports.items()}
    assert again == {"none": 0, "selective": core, "full": blocks, "*.mlp.act": 0}
    for what, report in reports.items():
        assert report.total["step_matmul_flops"] == reports["none"].total["step_matmul_flops"]
        assert report.total["hardware_matmul_flops"] == report.total["step_matmul_flops"] + again[what]


def test_what_fused_attention_computes_again_is_the_hardwares():
    """The step is the same in both kinds of attention, twice the forward products in the backward pass; the fused
    kernel's scores, 2 b h s t d in each of 3 layers, are computed once more, and twice more where blocks are rerun."""
    eager, fused = (trained(seq_len=16, set=TINY, attention=kind, convention="matmul") for kind in ("eager", "fused"))
    assert fused.total["step_matmul_flops"] == eager.total["step_matmul_flops"]
    scores = 3 * 2 * 16 * 16 * 64
    assert (eager.total["recompute_matmul_flops"], fused.total["recompute_matmul_flops"]) == (0, scores)
    assert fused.total["hardware_matmul_flops"] - fused.total["step_matmul_flops"] == scores
    full = trained(seq_len=16, set=TINY, attention="fused", convention="matmul", recompute="full").total
    blocks = fused["transformer.h.*"].values["matmul_flops"]
    assert full["recompute_matmul_flops"] == blocks + scores


def test_the_update_of_the_parameters():
    """AdamW is 14 per trained parameter, wherever it is, with 8 bytes of state; a tied head adds nothing, what is
    frozen nothing, and ranks divide it under ZeRO: the state and the update from stage 1 on, gradients from stage 2."""
    report = trained(seq_len=16, set=TINY)
    params = report.total["params"]
    assert report.total["optimizer_flops"] == 14 * params
    assert report.total["optimizer_state_bytes"] == 8 * params
    assert report.total["gradient_bytes"] == 4 * params
    assert report["lm_head"].values["optimizer_flops"] == 0
    frozen = trained(seq_len=16, set=TINY, freeze=["*.mlp.*"])
    mlp = report["transformer.h.*.mlp"].values["params"]
    assert frozen.total["optimizer_flops"] == 14 * (params - mlp)
    for stage, gradients, state in ((0, 1, 1), (1, 1, 4), (2, 4, 4), (3, 4, 4)):
        total = trained(seq_len=16, set=TINY, dp=4, zero=stage).total
        assert total["gradient_bytes"] == 4 * params // gradients
        assert total["optimizer_state_bytes"] == 8 * params // state
        assert total["optimizer_flops"] == 14 * params // state
    sgd = trained(seq_len=16, set=TINY, optimizer="sgd")
    assert (sgd.total["optimizer_flops"], sgd.total["optimizer_state_bytes"]) == (2 * params, 0)
    assert sgd.workload["optimizer"] == "sgd"


def test_muons_products_are_matmul_flops():
    """Under `matmul` the update is the products of Newton-Schulz alone, of the hidden matrices: five steps of
    4 m² n + 2 m³ with m ≤ n the sides; of 3 layers' matrices of 64 × 192, 64 × 64 and twice 64 × 256."""
    report = trained(seq_len=16, set=TINY, optimizer="muon", convention="matmul")
    products = sum(5 * (4 * m * m * n + 2 * m**3) for m, n in ((64, 192), (64, 64), (64, 256), (64, 256)))
    assert report.total["optimizer_flops"] == report.total["optimizer_matmul_flops"] == 3 * products


def test_one_glob_is_a_text():
    """Not its letters, of which `*` alone would freeze everything."""
    assert tiny(freeze="*.bias").total == tiny(freeze=["*.bias"]).total


def test_what_cannot_be_is_refused_by_name():
    """A glob without a match, an unknown profile, training options without training."""
    with pytest.raises(ConfigError, match=r"^freeze 'transfomer\.\*' matches no parameter; did you mean"):
        tiny(freeze=["transfomer.*"])
    with pytest.raises(UnknownNameError, match="unknown profile 'torch-eager-cud'; did you mean 'torch-eager-cuda'"):
        tiny(profile="torch-eager-cud")
    with pytest.raises(TypeError, match="has no keyword 'seqlen'; did you mean 'seq_len'"):
        tiny(seqlen=16)
    with pytest.raises(ConfigError, match=r"loss 'cross_entropy' .*: add phase=\"train\""):
        graphacct.account("gpt2", loss="cross_entropy")
    with pytest.raises(ConfigError, match="freeze: of a training step alone"):
        graphacct.account("gpt2", freeze=["*"])
    with pytest.raises(ConfigError, match=r"recompute 'fill' matches no node; did you mean 'full'"):
        tiny(recompute="fill")
    with pytest.raises(ConfigError, match=r"phase is forward .* or decode, not 'training'; did you mean 'train'"):
        graphacct.account("gpt2", phase="training")


def test_an_operator_without_a_gradient_is_not_silently_free():
    """It is an error that says what to state; with unknown="report" the node is in no sum, and the coverage says so."""

    @graphacct.operator("x: ... -> ...")
    def cube(batch):
        """x³. 2 per element: two products."""
        return graphacct.Work(vector_flops=2 * batch)

    class Plugin:
        @graphacct.hookimpl
        def graphacct_register_operators(self):
            return [cube]

    from graphacct.hooks.manager import load

    plugins = load()
    plugins.register(Plugin(), "cubes", "this test")
    builder = graphacct.Builder("model", plugins.operators, workload={"phase": "train"})
    x = builder.input("x", (4, 8))
    y = builder.apply("linear", x, builder.parameter("weight", (8, 8)), name="fc")
    graph = builder.graph(builder.apply("cube", y, name="cube"))
    with pytest.raises(OperatorError, match="node 'cube': operator 'cube' states no gradient of an operand"):
        graphacct.account(graph, plugins=plugins)
    report = graphacct.account(graph, plugins=plugins, unknown="report")
    assert report.coverage.uncosted == (("cube", "cube"),)
    assert report.total["step_matmul_flops"] == 2 * (2 * 4 * 8 * 8)  # forward and weight gradient; x needs none


def test_a_report_and_the_memory_are_of_one_run():
    """The columns of a report and the parts of `memory` are read from the same pipeline: equal, whatever is asked."""
    options = {"seq_len": 16, "set": TINY, "recompute": "full", "freeze": ["*.bias"], "attention": "eager"}
    report = graphacct.account("gpt2", phase="train", **options)
    found = memory("gpt2", **options)
    run = report.annotated.activations
    assert run.timeline == found.timeline
    assert report.total["saved_bytes"] == run.saved_bytes == found.saved_activations
    assert report.total["peak_bytes"] == run.forward_peak == found.forward_peak
    assert report.total["backward_peak_bytes"] == run.backward_peak == found.backward_peak


def test_work_alone_takes_no_schedule(monkeypatch):
    """Without the columns of memory nothing of the pipeline runs."""
    whole = graphacct.account("gpt2", phase="train", seq_len=16, set=TINY).total
    nothing = StepMemory(0, 0, 0)
    monkeypatch.setattr(
        "graphacct.reports.step.with_memory", lambda costs, *_: [item.with_analysis(MEMORY, nothing) for item in costs]
    )
    monkeypatch.setattr(
        "graphacct.footprint.activations.schedule", lambda *arguments: pytest.fail("a schedule was made")
    )
    work = graphacct.account("gpt2", phase="train", seq_len=16, set=TINY).total
    assert work["step_flops"] == whole["step_flops"]
    assert work["optimizer_state_bytes"] == whole["optimizer_state_bytes"]
