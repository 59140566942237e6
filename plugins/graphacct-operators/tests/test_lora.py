"""Adapters and frozen parameters, against what torch was measured to do with them, and as a rewrite of a graph."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
import strategies
from draws import examples
from graphacct_operators.lora import adapted
from hypothesis import given
from hypothesis import strategies as st

import graphacct
from graphacct import memory
from graphacct.errors import ConfigError, GraphError, UnknownNameError
from graphacct.execution.saved_storages import saved_storages, saved_uses
from graphacct.execution.schedule import schedule
from graphacct.footprint.liveness import live_bytes
from graphacct.hooks.manager import default
from graphacct.readers.graph_json import write
from graphacct.training.selection import frozen

TRUTH = json.loads((Path(__file__).parents[3] / "tests" / "goldens" / "lora-gpt2" / "truth.json").read_text())
PROBABILITIES = ("attn_pdrop", "resid_pdrop", "embd_pdrop")
TINY = {"n_layer": 3, "n_embd": 64, "n_head": 4, "vocab_size": 512, "n_positions": 32}
C_ATTN = "transformer.h.*.attn.c_attn"


def tiny(**options: Any) -> graphacct.Report:
    return graphacct.account("gpt2", **{"seq_len": 16, "set": TINY, "convention": "matmul", **options})


def runs() -> list[Any]:
    """The measured runs, each with a name."""
    return [
        pytest.param(
            run, id=f"{'+'.join([*run['lora'], *run['freeze']])}-{run['attn']}-{run['dropout']}-{run['batch']}"
        )
        for run in TRUTH["runs"]
    ]


def options(run: dict[str, Any]) -> dict[str, Any]:
    sizes = {**TRUTH["config"], **dict.fromkeys(PROBABILITIES, run["dropout"])}
    lora = [f"{rank}:{glob}" for glob, rank in run["lora"].items()]
    return {"batch": run["batch"], "seq_len": run["seq"], "attention": run["attn"], "set": sizes, "lora": lora}


def forward_peak(run: dict[str, Any]) -> Any:
    """The most bytes alive in the forward pass of training."""
    plugins = default()
    graph = graphacct.build("gpt2", phase="train", loss="sum", lora_dropout=run["lora_dropout"], **options(run))
    graph, trained = frozen(graph, run["freeze"])
    steps = schedule(graph, plugins.operators, plugins.profiles["torch-eager-cpu"], trained)
    return max(live_bytes(steps, saved_storages(saved_uses(steps))))


@pytest.mark.parametrize("run", runs())
def test_a_step_is_what_torch_measures(run: dict[str, Any]) -> None:
    """Trained parameters, bytes kept, the forward peak and the counter's FLOPs of a training step, to the unit."""
    asked = {**options(run), "lora_dropout": run["lora_dropout"], "freeze": run["freeze"]}
    asked |= {"loss": "sum", "profile": "torch-eager-cpu"}
    found = memory("gpt2", **asked)
    assert (found.gradients, found.saved_activations) == (4 * run["trainable"], run["saved_bytes"])
    assert forward_peak(run) == run["forward_peak"]
    total = graphacct.account("gpt2", phase="train", convention="matmul", **asked).total
    assert total["saved_bytes"] == run["saved_bytes"]
    if run["attn"] == "eager":  # the counter gives attention fused on a CPU nothing
        assert (total["forward_matmul_flops"], total["step_matmul_flops"]) == (run["forward_flops"], run["step_flops"])


@pytest.mark.parametrize("run", [run for run in runs() if run.values[0]["lora"]])
def test_inference_is_what_torch_measures(run: dict[str, Any]) -> None:
    """Adapters work in a forward pass as well: its peak without gradients, to the byte."""
    found = memory("gpt2", phase="forward", profile="torch-eager-cpu", **options(run))
    assert found.peak == run["no_grad_forward_peak"]


def test_adapters_by_hand() -> None:
    """Rank 8 on c_attn of three layers: 8 · 64 + 192 · 8 parameters each, and their products; no base weight has a
    gradient, and nothing before the first adapter has one at all."""
    base, report = tiny(phase="train"), tiny(phase="train", lora=["8:*.attn.c_attn"])
    own = 8 * 64 + 192 * 8
    assert report.total["params"] - base.total["params"] == 3 * own
    adapter = 2 * 16 * own  # 2 per multiply-add, 16 tokens
    assert report.total["forward_matmul_flops"] - base.total["forward_matmul_flops"] == 3 * adapter
    assert report.total["weight_grad_matmul_flops"] == 3 * adapter
    first = report[f"{C_ATTN}.lora_A"].values
    assert 3 * first["input_grad_matmul_flops"] == 2 * first["forward_matmul_flops"]  # the first layer's x needs none
    assert report[f"{C_ATTN}.base_layer"].values["weight_grad_matmul_flops"] == 0
    assert report[C_ATTN].values["step_matmul_flops"] == sum(
        report[f"{C_ATTN}.{name}"].values["step_matmul_flops"] for name in ("base_layer", "lora_A", "lora_B")
    )
    assert report.workload["lora"] == "8:*.attn.c_attn"


def test_parameters_are_named_as_peft_names_them() -> None:
    """A and B follow the module's own parameters, which keep their names."""
    names = [row.parameter.name for row in tiny(lora="8:*.attn.c_attn").by_parameter if C_ATTN in row.parameter.name]
    ends = ("weight", "bias", "lora_A.default.weight", "lora_B.default.weight")
    assert names == [f"{C_ATTN}.{end}" for end in ends]


def test_decoding_has_adapters_too() -> None:
    """One token through A and B of each layer: 2 FLOPs per parameter."""
    plain, lora = (tiny(phase="decode", cache_len=9, lora=lora, seq_len=None) for lora in ((), ("4:*.mlp.c_fc",)))
    assert lora.total["matmul_flops"] - plain.total["matmul_flops"] == 3 * 2 * 4 * (64 + 256)


def test_a_glob_may_name_nodes_weights_or_single_layers() -> None:
    """The weight's name says the same as its module's; an index writes the layers out, and adapts that one alone."""
    by_node, by_weight = (tiny(lora=[f"8:*.attn.c_attn{end}"]) for end in ("", ".weight"))
    assert by_node.total == by_weight.total
    one, three = (tiny(lora=[f"8:{glob}"]).total["params"] for glob in ("transformer.h.1.attn.c_attn", C_ATTN))
    none = tiny().total["params"]
    assert 3 * (one - none) == three - none > 0
    several = tiny(lora=["8:*.h.[0-1].attn.c_attn", "4:*.h.2.attn.c_attn"]).total["params"]
    assert several - none == (8 + 8 + 4) * (64 + 192)


def test_freeze_adds_to_the_adapters() -> None:
    """A alone frozen leaves B: half the matrices, and the gradient of x still flows through A."""
    report = tiny(phase="train", lora=["8:*.attn.c_attn"], freeze=["*.lora_A.*"])
    assert report.total["weight_grad_matmul_flops"] == 3 * 2 * 16 * 192 * 8
    assert report[f"{C_ATTN}.lora_A"].values["input_grad_matmul_flops"] > 0


def test_a_weight_that_several_nodes_share_has_one_adapter() -> None:
    """The module is called twice: its adapter counts once and works twice."""
    builder = graphacct.Builder("twice", default().operators)
    weight = builder.parameter("fc.weight", (6, 6))
    x = builder.input("x", (5, 6))
    for name in ("fc", "again"):
        x = builder.apply("linear", x, weight, name=name)
    report = graphacct.account(builder.graph(x), lora=["2:fc"], convention="matmul")
    assert report.total["params"] == 6 * 6 + 2 * (6 + 6)
    assert report.total["matmul_flops"] == 2 * (2 * 5 * 6 * 6 + 2 * 5 * 2 * (6 + 6))


def test_the_matrix_is_found_by_the_signature() -> None:
    """An operator of a stranger is adapted as it says which dimension is contracted, whatever its name."""

    @graphacct.operator("x: ... k, table: k n -> ... n", contracts=("x", "table"))
    def projected() -> None:
        """x table. 2 FLOPs per multiply-add."""

    operators = {**default().operators, "projected": projected}
    builder = graphacct.Builder("stranger", operators)
    out = builder.apply("projected", builder.input("x", (3, 5)), builder.parameter("table", (5, 7)), name="p")
    graph = adapted(builder.graph(out), operators, ["2:p"], 0.0)
    shapes = {parameter.name: parameter.spec.shape for node in graph.walk() for parameter in node.parameters}
    assert shapes == {"table": (5, 7), "table.lora_A.default.weight": (2, 5), "table.lora_B.default.weight": (7, 2)}


def test_a_saved_graph_keeps_its_adapters(tmp_path: Path) -> None:
    """Saved and read again, the rewritten graph accounts for the same step, without being told; adapters can be added
    to a saved graph, and not twice."""
    sizes: dict[str, Any] = {"phase": "train", "seq_len": 16, "set": TINY}
    graph = graphacct.build("gpt2", lora=["8:*.attn.c_attn"], **sizes)
    write(graph, tmp_path / "with.json")
    write(graphacct.build("gpt2", **sizes), tmp_path / "without.json")
    assert graphacct.load(tmp_path / "with.json") == graph
    reports = [
        graphacct.account(tmp_path / "with.json"),
        graphacct.account(tmp_path / "without.json", lora=["8:*.attn.c_attn"]),
        graphacct.account("gpt2", lora=["8:*.attn.c_attn"], **sizes),
    ]
    assert reports[0].total == reports[1].total == reports[2].total
    with pytest.raises(ConfigError, match=r"'gpt2' has adapters already: 8:\*\.attn\.c_attn"):
        graphacct.account(graph, lora=["8:*.mlp.c_fc"])


def test_rewritten_graphs_are_sound() -> None:
    """Every value of the rewritten graph has a producer before it, held ones too; the graph given is as it was."""
    from graphacct.graph.validate import validate

    graph = graphacct.build("gpt2", phase="train", seq_len=16, set=TINY)
    before = attrs.evolve(graph)
    rewritten = adapted(graph, default().operators, ["8:*.c_*"], 0.1)
    validate(rewritten)
    assert graph == before != rewritten
    names = [node.name.rpartition(".")[2] for node in rewritten.walk() if node.name.startswith(f"{C_ATTN}.")]
    assert names == ["base_layer", "lora_dropout", "lora_A", "lora_B", "lora_scale", "lora_add"]


def test_a_sweep_with_a_matrix_too_small_is_refused() -> None:
    """A rank fits every point of a sweep, or none is given."""
    numpy = pytest.importorskip("numpy")
    sweep = {**TINY, "n_head": 2, "n_embd": numpy.array([8.0, 64.0])}
    with pytest.raises(ConfigError, match="and rank 16 is too high"):
        tiny(lora=["16:*.attn.c_attn"], set=sweep)


def test_a_sweep_over_depths() -> None:
    """Adapters of every depth at once; frozen parameters likewise."""
    numpy = pytest.importorskip("numpy")
    depths = [1, 3, 8]
    sweep = {**TINY, "n_layer": numpy.array(depths, dtype=object)}
    swept: Any = tiny(lora=["8:*.attn.c_attn"], phase="train", freeze=["*.lora_A.*"], set=sweep).total
    for index, depth in enumerate(depths):
        one = {**TINY, "n_layer": depth}
        total = tiny(lora=["8:*.attn.c_attn"], phase="train", freeze=["*.lora_A.*"], set=one).total
        assert swept["params"][index] == total["params"]
        assert swept["forward_matmul_flops"][index] == total["forward_matmul_flops"]


def test_symbolic_depth_folds() -> None:
    """The body is rewritten once, so that the depth may be a symbol; single layers need a number."""
    sympy = pytest.importorskip("sympy")
    layers = sympy.Symbol("L", positive=True, integer=True)
    report = tiny(lora=["8:*.attn.c_attn"], set={**TINY, "n_layer": layers})
    assert report.total["params"].subs(layers, 3) == tiny(lora=["8:*.attn.c_attn"]).total["params"]
    with pytest.raises(GraphError, match="repeats L times: give a number to unroll it"):
        tiny(lora=["8:*.h.1.attn.c_attn"], set={**TINY, "n_layer": layers})


@examples(25)
@given(strategies.graphs(), st.data())
def test_folded_equals_unrolled_for_any_graph(graph: graphacct.Graph, data: st.DataObject) -> None:
    """Adapters and frozen parameters of random graphs: the rewritten graph written out is the written-out one
    rewritten, for globs of everything, of some weights and of single repetitions."""
    step = attrs.evolve(graph, workload={"phase": "train"})
    globs = st.sampled_from(["*", "*1*", "*.0.*", "*.1.weight_?", "*weight*", "enc.*", "*[2-4]"])
    lora, freeze = [f"1:{data.draw(globs)}"], data.draw(st.lists(globs, max_size=2))
    totals: list[Any] = []
    for form in (step, step.unroll()):
        try:
            totals.append(graphacct.account(form, lora=lora, freeze=freeze).total)
        except ConfigError as error:
            totals.append(str(error).partition(" matches no ")[0])
    assert totals[0] == totals[1]


@pytest.mark.parametrize(
    ("lora", "message"),
    [
        (["c_attn"], r"lora 'c_attn' is not of the form RANK:GLOB, such as 8:\*\.attn\.c_attn"),
        ([":*"], "is not of the form RANK:GLOB"),
        (["8:"], "is not of the form RANK:GLOB"),
        ([8], "lora 8 is no text of the form RANK:GLOB"),
        (["0:*.c_attn"], r"lora '0:\*\.c_attn': the rank is a positive integer, not '0'"),
        (["-4:*.c_attn"], "the rank is a positive integer, not '-4'"),
        (["4.5:*.c_attn"], r"the rank is a positive integer, not '4\.5'"),
        (["99999999999999999999:*"], "the rank is a positive integer, not '99999999999999999999'"),
        (["*.c_attn:8"], r"the rank is a positive integer, not '\*\.c_attn'; did you mean '8:\*\.c_attn'\?"),
        (
            ["65:*.attn.c_attn"],
            r"node 'transformer\.h\.\*\.attn\.c_attn' multiplies by a matrix of 64 in and 192 out, and rank 65 is "
            "too high; the largest that fits is 64",
        ),
        (["8:*.atn.c_attn"], r"matches no weight matrix; did you mean '\*\.attn\.c_attn'\?"),
        (["8:*.ln_1"], r"matches no weight matrix: 'transformer\.h\.\*\.ln_1' is of 'layer_norm', no product with a"),
        (["8:*.h.7.attn.c_attn"], r"lora '8:\*\.h\.7\.attn\.c_attn' matches no weight matrix"),
        (
            ["8:*.c_attn", "4:*.attn.*"],
            r"lora '4:\*\.attn\.\*' matches 'transformer\.h\.\*\.attn\.c_attn\.weight', which "
            r"'8:\*\.c_attn' has matched: a matrix has one adapter",
        ),
    ],
)
def test_what_cannot_be_is_refused_by_name(lora: list[Any], message: str) -> None:
    """A form that cannot be read, a rank that no matrix has, a glob without a match, a matrix matched twice."""
    with pytest.raises(ConfigError, match=message) as caught:
        tiny(lora=lora)
    assert "\n" not in str(caught.value)


def test_dropout_is_checked() -> None:
    """It is a probability, it belongs to adapters, and outside training nothing is dropped."""
    with pytest.raises(ConfigError, match=r"lora_dropout is a probability from 0 up to \(not including\) 1, not 1"):
        tiny(lora=["8:*.c_attn"], lora_dropout=1)
    with pytest.raises(ConfigError, match=r"lora_dropout is that of adapters: add lora="):
        tiny(lora_dropout=0.1)
    with pytest.raises(ConfigError, match=r"lora_dropout matters in training alone"):
        tiny(lora=["8:*.c_attn"], lora_dropout=0.1)


def test_adapters_need_their_operators() -> None:
    """Without the plugin that has them the error names the operator."""
    graph = graphacct.build("gpt2", seq_len=16, set=TINY)
    operators = {name: item for name, item in default().operators.items() if name != "scale"}
    with pytest.raises(UnknownNameError, match="unknown operator 'scale'"):
        adapted(graph, operators, ["8:*.c_attn"], 0.0)


DORA = {
    # (dropout): parameters, trained ones, forward and step FLOPs, bytes kept; measured with peft 0.21.2, torch 2.13 and
    # transformers 5.23 on a tiny GPT-2 (sizes as TRUTH's), rank 4 on c_attn, batch 1, 32 tokens, eager, sum of logits
    0.0: (194_688, 3_648, 12_910_592, 25_608_192, 946_176),
    0.1: (194_688, 3_648, 15_269_888, 31_899_648, 963_328),
}
DORA_OF_LLAMA = {
    # the same of a Llama whose q_proj (with a bias) and down_proj have rank 4
    0.0: (155_328, 3_072, 9_011_200, 17_219_584, 606_464),
    0.1: (155_328, 3_072, 10_846_208, 20_627_456, 655_616),
}
LLAMA = {
    **{"vocab_size": 512, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128, "attention_bias": True},
}


@pytest.mark.parametrize("dropout", [0.0, 0.1])
@pytest.mark.parametrize(
    ("model", "sizes", "adapters", "measured"),
    [
        ("gpt2", {**TRUTH["config"], **dict.fromkeys(PROBABILITIES, 0.0)}, "4:c_attn", DORA),
        ("llama", LLAMA, "4:q_proj,down_proj", DORA_OF_LLAMA),
    ],
)
def test_dora_is_what_peft_computes(
    model: str, sizes: dict[str, Any], adapters: str, measured: dict[float, tuple[int, ...]], dropout: float
) -> None:
    """Parameters, FLOPs and bytes kept of a training step with DoRA, to the unit."""
    lora = ("lora", {"adapters": [adapters], "dora": True, "dropout": dropout})
    asked = {"batch": 1, "seq_len": 32, "attention": "eager", "dtype": "float32", "set": sizes, "transforms": [lora]}
    asked |= {"loss": "sum", "profile": "torch-eager-cpu"}
    total = graphacct.account(model, phase="train", convention="matmul", **asked).total
    found = memory(model, **asked)
    work = total["forward_matmul_flops"], total["step_matmul_flops"]
    assert (total["params"], found.gradients // 4, *work, found.saved_activations) == measured[dropout]


def test_dora_by_hand() -> None:
    """192 lengths for each of three layers, and BA as B(A(1)): 2 · 64 · 4 · (64 + 192) FLOPs besides the adapter's."""
    lora = {"adapters": ["4:*.attn.c_attn"]}
    plain = tiny(transforms=[("lora", lora)])
    report = tiny(transforms=[("lora", {**lora, "dora": True})])
    assert report.total["params"] - plain.total["params"] == 3 * 192
    assert report.total["flops"] - plain.total["flops"] == 3 * 2 * 64 * 4 * (64 + 192)


def test_dora_computes_with_the_whole_matrix() -> None:
    """Weights in 4 bits would have to be unpacked first."""
    with pytest.raises(ConfigError, match=r"dora computes with all of 'model\.layers\.\*\.self_attn\.q_proj\.weight'"):
        graphacct.build("llama", set=LLAMA, seq_len=8, weights="nf4", transforms=["lora:adapters=4:q_proj,dora=true"])
