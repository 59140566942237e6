"""Which parameters are stored in which format, and what that changes: bytes of weights and traffic, nothing else."""

from __future__ import annotations

import re

import attrs
import pytest

import graphacct
from graphacct import WeightPlan
from graphacct.errors import GraphacctError
from graphacct.hooks.manager import default
from graphacct.models.module_patterns import matches
from graphacct.models.weight_formats import weight_format

FORMATS = ("fp8:block=128", "int8", "gptq:4", "awq:4", "nf4", "nf4:double", "nvfp4", "mxfp4", "mlx:4", "q8_0", "q4_k")
PRESETS = ("llama-3.2-1b", "mixtral-8x7b", "deepseek-v3", "gpt2", "bert-base-uncased", "t5-small")


def named(text: str) -> graphacct.WeightFormat:
    return weight_format(text, default().weight_formats)


def stored(model: object, **options: object) -> dict[str, str]:
    """The formats of a model's parameters, by their names."""
    report = graphacct.account(model, **options)  # type: ignore[arg-type]
    rows = [row.parameter for row in report.by_parameter]
    return {parameter.name: parameter.stored.format.name for parameter in rows if parameter.stored is not None}


@pytest.mark.parametrize("preset", PRESETS)
def test_weights_change_bytes_and_reads_alone(preset: str) -> None:
    """For each format the parameters' rows sum to the total, and nothing else differs from the plain model."""
    plain = graphacct.account(preset, **_short(preset))
    differ = {"param_bytes", "read_bytes", "write_bytes"}
    for text in FORMATS:
        found = graphacct.account(preset, weights=text, **_short(preset))
        for name, value in plain.total.items():
            assert name in differ or found.total[name] == value, (text, name)
        assert found.total["param_bytes"] < plain.total["param_bytes"]
        for by in ("parameter", "scope"):
            rows = found.records(by)
            top = rows if by == "parameter" else [row for row in rows if "." not in row["path"]]
            assert sum(row["param_bytes"] for row in top) == found.total["param_bytes"], text
        direct = found.total["read_bytes"] < plain.total["read_bytes"]
        assert direct == (not text.startswith("nf4"))
        assert (found.total["write_bytes"] > plain.total["write_bytes"]) == text.startswith("nf4")


def _short(preset: str) -> dict[str, int]:
    return {"seq_len": 8, **({"encoder_seq_len": 8} if preset.startswith("t5") else {})}


def test_linear_layers_and_experts_alone() -> None:
    """Embeddings, the head, norms and the router stay in 16 bits."""
    found = stored("mixtral-8x7b", seq_len=8, weights="awq:4")
    assert list(found) == [
        *(f"model.layers.*.self_attn.{name}_proj.weight" for name in "qkvo"),
        "model.layers.*.mlp.experts.gate_up_proj",
        "model.layers.*.mlp.experts.down_proj",
    ]
    everything = stored("mixtral-8x7b", seq_len=8, weights="q4_k:all")
    assert {*everything} - {*found} == {"model.embed_tokens.weight", "lm_head.weight"}


def test_experts_are_matrices_of_their_own() -> None:
    """NVFP4 has two float32 a matrix. In a file of Mixtral each of 8 experts has three (the gate and the other
    projection are joined here), in each of 32 layers. Attention has four."""
    nvfp4 = graphacct.account("mixtral-8x7b", seq_len=8, weights="nvfp4").total["param_bytes"]
    elements = 32 * (2 * 4096**2 + 2 * 4096 * 1024 + 8 * 3 * 4096 * 14336)
    others = 46_702_792_704 - elements
    assert nvfp4 == 2 * others + elements // 2 + elements // 16 + 32 * (4 + 8 * 3) * 8


def test_gpt_oss_as_published() -> None:
    """The 13,761,264,768 bytes of openai/gpt-oss-20b (`total_size` in its index): experts in MXFP4, the rest in
    bfloat16."""
    report = graphacct.account("gpt-oss-20b", seq_len=8, weights="mxfp4")
    assert report.total["param_bytes"] == 13_761_264_768


def test_weights_stored_in_and_out() -> None:
    """GPT-2 stores its matrices (in, out); the outputs are the same ones: int8 has a float32 for each of
    3 d + d + 4 d + d outputs of a layer."""
    found = graphacct.account("gpt2", seq_len=8, weights="int8").total["param_bytes"]
    matrices = 12 * 12 * 768**2
    assert found == 4 * (124_439_808 - matrices) + matrices + 12 * 9 * 768 * 4


def test_every_parameter_in_a_dtype() -> None:
    """A dtype as a format stores every parameter so, and the computation keeps its own."""
    report = graphacct.account("gpt2", seq_len=8, weights="bf16")
    assert report.total["param_bytes"] == 2 * 124_439_808
    assert report.workload["dtype"] == "float32"
    same = graphacct.account("gpt2", seq_len=8, weights="fp32").total
    assert same == graphacct.account("gpt2", seq_len=8).total


def test_single_modules() -> None:
    """The first pattern decides, exceptions before all; a plan that tells layers apart writes them out."""
    plan = WeightPlan(
        named("q4_k"), (("*.down_proj", named("q6_k")), ("lm_head", named("q8_0"))), ("model.layers.0.mlp",)
    )
    found = stored("llama-3.2-1b", seq_len=8, set={"tie_word_embeddings": False}, weights=plan)
    assert "model.layers.0.mlp.down_proj.weight" not in found
    assert found["model.layers.0.self_attn.q_proj.weight"] == "q4_k"
    assert found["model.layers.1.mlp.down_proj.weight"] == "q6_k"
    assert found["lm_head.weight"] == "q8_0"
    folded = attrs.evolve(plan, exceptions=("re:.*self_attn",))
    found = stored("llama-3.2-1b", seq_len=8, weights=folded)
    assert found["model.layers.*.mlp.down_proj.weight"] == "q6_k"
    assert "model.layers.*.self_attn.q_proj.weight" not in found


def test_experts_by_the_names_in_files() -> None:
    """A file names single experts' modules."""
    plan = WeightPlan(named("nvfp4"), exceptions=("*.mlp.experts.*.w2", "self_attn"))
    found = stored("mixtral-8x7b", seq_len=8, weights=plan)
    assert list(found) == ["model.layers.*.mlp.experts.gate_up_proj"]


@pytest.mark.parametrize(
    ("text", "module", "found"),
    [
        ("lm_head", "lm_head", True),
        ("lm_head", "model.lm_head", True),
        ("mlp.gate", "model.layers.1.mlp.gate", True),
        ("mlp.gate", "model.layers.1.mlp.gate_proj", False),
        ("model.layers.1", "model.layers.11.mlp", False),
        ("model.layers.1", "model.layers.1.mlp", True),
        ("visual", "model.visual.blocks.0.attn", True),
        ("*self_attn*", "model.layers.1.self_attn.q_proj", True),
        ("layers.*.mlp", "model.layers.1.mlp", True),
        ("re:.*gate$", "model.layers.1.mlp.gate", True),
        ("re:gate$", "model.layers.1.mlp.gate", False),
    ],
)
def test_patterns(text: str, module: str, found: bool) -> None:
    assert matches(text, module) is found


def test_a_finished_graph_and_its_file(tmp_path: object) -> None:
    """A graph takes weights too, keeps them when it is written out and when it is saved, and takes them once."""
    graph = graphacct.build("gpt2", seq_len=8)
    quantised = graphacct.build(graph, weights="nf4:double")
    whole = graphacct.account(quantised).total
    assert graphacct.account(quantised.unroll()).total["param_bytes"] == whole["param_bytes"]
    path = f"{tmp_path}/graph.json"
    graphacct.save(quantised, path)
    again = graphacct.load(path)
    assert graphacct.account(again).total == whole
    assert again.workload["weights"] == "nf4:double"
    with pytest.raises(GraphacctError, match="'gpt2' has its weights stored already: nf4:double"):
        graphacct.build(again, weights="int8")


def test_adapters_stay_in_the_dtype_of_the_computation() -> None:
    """The base is quantised, and the adapters beside it are not."""
    found = stored("gpt2", seq_len=8, weights="int8", lora=["4:*.c_attn"])
    assert "transformer.h.*.attn.c_attn.weight" in found
    assert not any("lora" in name for name in found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "q4_k", "set": {"n_embd": 96, "n_head": 4}}, "no whole number of blocks of 256"),
        ({"dtype": "int4"}, "dtype 'int4': no model computes in it"),
        ({"dtype": "int4"}, "; leave it out and add weights='int4' for weights that are stored so"),
        ({"dtype": "fp8"}, "add weights='fp8' for weights that are stored so, kv_dtype='fp8' for such a cache"),
        ({"dtype": "fp4"}, "add weights='nvfp4'"),
        (
            {"dtype": "complex64"},
            "dtype 'complex64': no model computes in it, but in float64, float32, bfloat16 or float16",
        ),
        (
            {"dtype": "nf4:double"},
            "dtype 'nf4:double' is a format of weights: leave it out and add weights='nf4:double'",
        ),
        ({"dtype": "Q4_K"}, "dtype 'Q4_K' is a format of weights: leave it out and add weights='Q4_K'"),
        ({"dtype": "int9"}, "unknown dtype 'int9'"),
        ({"dtype": "bool"}, "dtype 'bool': no model computes in it, but in float64, float32, bfloat16 or float16"),
        ({"kv_dtype": "fp8"}, 'kv_dtype is of a cache: add phase="prefill" or phase="decode"'),
        ({"kv_dtype": "int4", "phase": "decode"}, "kv_dtype 'int4' is no dtype of a cache: it is one of float64"),
    ],
)
def test_errors(options: dict[str, object], message: str) -> None:
    with pytest.raises(GraphacctError) as caught:
        graphacct.account("gpt2", seq_len=8, **options)  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_a_model_without_layers_that_repeat() -> None:
    builder = graphacct.Builder("mlp")
    x = builder.input("x", (2, 64))
    graph = builder.graph(builder.apply("linear", x, builder.parameter("fc.weight", (32, 64)), name="fc"))
    with pytest.raises(
        GraphacctError, match="has no matrix of a linear layer in layers that repeat; 'int8:all' stores"
    ):
        graphacct.account(graph, weights="int8")
    assert graphacct.account(graph, weights="int8:all").total["param_bytes"] == 32 * 64 + 32 * 4


@pytest.mark.parametrize("preset", ["llama-3.2-1b", "gpt2", "deepseek-v3", "t5-small", "mistral-7b-v0.3"])
def test_the_cache_alone_is_in_its_dtype(preset: str) -> None:
    """A cache of 8 bits takes as many bytes as its elements; parameters and logits are the same ones."""
    for phase, sizes in (("prefill", {"seq_len": 16}), ("decode", {"cache_len": 16})):
        options = {"phase": phase, "dtype": "bf16", **sizes}
        plain, small = (graphacct.memory(preset, **options, kv_dtype=kind) for kind in (None, "fp8"))  # type: ignore[arg-type]
        assert plain.kv_cache_bytes == 2 * small.kv_cache_bytes
        assert plain.kv_bytes_per_token == 2 * small.kv_bytes_per_token  # type: ignore[operator]
        assert plain.parameters == small.parameters
        assert small.workload["kv_dtype"] == "float8_e4m3fn"
        costs = [graphacct.account(preset, **options, kv_dtype=kind).total for kind in (None, "fp8")]  # type: ignore[arg-type]
        assert costs[0]["flops"] == costs[1]["flops"]


@pytest.mark.parametrize("preset", ["deepseek-v2-lite", "t5-small", "mixtral-8x7b", "gpt2"])
def test_every_phase_has_the_same_weights(preset: str) -> None:
    """Also a step that keeps a projection and does not run it, and absorbed attention, which looks at its parts."""
    phases = ({"phase": "forward"}, {"phase": "prefill", "seq_len": 8}, {"phase": "decode", "cache_len": 8})
    found = [graphacct.account(preset, weights="int8", **phase).total["param_bytes"] for phase in phases]  # type: ignore[arg-type]
    assert len({*found}) == 1
    graph = graphacct.build(preset, phase="decode", cache_len=8)
    assert graphacct.account(graph.unroll(), weights="int8").total["param_bytes"] == found[0]


def test_routers_that_are_computed_in_float32() -> None:
    """The router's weight is cast before its product, and stays as it is."""
    found = stored("deepseek-v3", seq_len=8, weights="int8")
    assert not any("mlp.gate.weight" in name for name in found)


def test_the_dtype_of_a_file() -> None:
    """A file that says float8 is one that the library cannot load; `dtype` says in which it is computed."""
    content = {"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4, "num_hidden_layers": 1}
    content |= {"intermediate_size": 128, "vocab_size": 64, "torch_dtype": "float8_e4m3fn"}
    message = "torch_dtype 'float8_e4m3fn': no model computes in it, but in float64, float32, bfloat16 or float16; add "
    message += (
        "dtype='bf16', and weights='fp8' for weights that are stored so, kv_dtype='float8_e4m3fn' for such a cache"
    )
    with pytest.raises(GraphacctError) as caught:
        graphacct.account(content, seq_len=8)
    assert message in str(caught.value)
    found = graphacct.account(content, seq_len=8, dtype="bf16", weights="fp8")
    assert (found.workload["dtype"], found.workload["weights"]) == ("bfloat16", "fp8")


def test_sizes_as_symbols() -> None:
    """The bytes of a model are a formula: numbers put in give those of the model with these numbers."""
    import sympy

    width = sympy.Symbol("width", positive=True, integer=True)
    for text in ("gptq:4", "nf4:double", "fp8:block=128"):
        given = {"weights": text, "phase": "decode", "cache_len": 3}
        report = graphacct.account("llama-3.2-1b", set={"intermediate_size": width}, **given)  # type: ignore[arg-type]
        formula = report.total["param_bytes"]
        number = graphacct.account("llama-3.2-1b", set={"intermediate_size": 8192}, **given).total["param_bytes"]
        assert formula.subs({width: 8192}) == number  # type: ignore[attr-defined]
        assert any("32" in str(condition) for condition in report.conditions) == text.startswith("gptq")


def test_endless_layers_are_not_compared_one_by_one() -> None:
    """A billion layers and one exception: each layer's module would be asked for."""
    sizes = {"num_hidden_layers": 10**9}
    plan = WeightPlan(named("fp8"), exceptions=("lm_head",))
    message = (
        "'model.layers.*.self_attn.q_proj.weight' stands for 1,000,000,000 modules, too many to compare one by one (at "
        "most 100,000): store all alike, without modules or exceptions"
    )
    with pytest.raises(GraphacctError, match=re.escape(message)):
        graphacct.account("llama-3.2-1b", set=sizes, weights=plan)
    assert graphacct.account("llama-3.2-1b", set=sizes, weights="fp8").total["params"] > 10**16
