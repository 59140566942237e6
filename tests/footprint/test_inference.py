"""A prefill that fills a cache and a decoding step that lengthens it, against torch to the byte and by hand."""

import json

import pytest
from graphacct_architectures.layers import with_cache
from hypothesis import given
from hypothesis import strategies as st
from runs import GOLDENS, TINY, changes_once, scheduled

import graphacct
from graphacct import Builder, ConfigError, memory
from graphacct.execution.kernels import PREEXISTING
from graphacct.footprint.liveness import live_bytes, live_storages
from graphacct.hooks.manager import default
from graphacct.models.workload import Workload

TRUTH = json.loads((GOLDENS / "inference-gpt2" / "truth.json").read_text())
RUNS = [pytest.param(run, id="{phase}-{attn}-{layers}-{batch}x{tokens}".format(**run)) for run in TRUTH["runs"]]
GPT2 = TINY["gpt2"]
LM = {**TINY["transformer-lm"], "n_layer": 3}


def options(run):
    """The options that a measured run stands for."""
    size = "seq_len" if run["phase"] == "prefill" else "cache_len"
    attention = "eager" if run["attn"] == "eager" else "fused"
    sizes = {**TRUTH["config"], "n_layer": run["layers"]}
    return {"phase": run["phase"], "batch": run["batch"], size: run["tokens"], "attention": attention, "set": sizes}


def inference(graph):
    """The schedule of a graph on a CPU, without gradients."""
    return scheduled(graph, trained=lambda parameter: False)


@pytest.mark.parametrize("run", RUNS)
def test_peaks_are_torchs(run):
    """Float32 on a CPU, to the byte: a layer's old cache dies as its tokens are copied in front of the new one, those
    of later layers are there from the start, the new ones to the end."""
    found = memory("gpt2", profile="torch-eager-cpu", **options(run))
    assert found.peak == run["peak_bytes"]
    assert sum(item.bytes for item in found.live_at_peak) == found.peak
    assert found.timeline[-1].live_bytes == run["live_bytes_at_end"]
    logits = run["batch"] * (run["tokens"] if run["phase"] == "prefill" else 1) * 512 * 4
    assert found.kv_cache_bytes == run["live_bytes_at_end"] - logits
    assert found.total == found.parameters + found.buffers + found.inputs + found.peak


@pytest.mark.parametrize("run", [item for item in RUNS if item.values[0]["phase"] == "decode"])
def test_the_old_cache_is_there_from_the_start(run):
    """Before the first kernel's output (the token embeddings) nothing but the cache is alive."""
    sizes = options(run)
    graph = graphacct.build("gpt2", **sizes)
    embedded = run["batch"] * 64 * 4
    assert live_bytes(inference(graph))[0] == run["cache_bytes_at_start"] + embedded


@pytest.mark.parametrize("run", [item for item in RUNS if item.values[0]["phase"] == "prefill"])
def test_the_cache_is_on_top_of_a_forward_pass(run):
    """The peak without a cache stays what it was, and the cache makes it larger by its bytes or fewer."""
    sizes = {**options(run), "phase": "forward"}
    plain = memory("gpt2", profile="torch-eager-cpu", **sizes)
    assert plain.peak == run["peak_bytes_without_cache"]
    assert 0 < run["peak_bytes"] - plain.peak <= run["cache_bytes_at_end"]


@pytest.mark.parametrize("attention", ["eager", "fused"])
@pytest.mark.parametrize(("model", "sizes"), [("gpt2", GPT2), ("transformer-lm", LM)])
def test_a_prefill_works_as_a_forward_pass(model, sizes, attention):
    """The same FLOPs of every kind; the copies of keys and values are its only new storage, each written once."""
    given_ = {"batch": 2, "seq_len": 24, "attention": attention, "set": sizes}
    plain, filled = (graphacct.account(model, phase=phase, **given_) for phase in ("forward", "prefill"))
    for name in ("params", "matmul_flops", "vector_flops", "flops", "transcendentals", "macs"):
        assert filled.total[name] == plain.total[name], name
    copies = filled.total["kv_cache_bytes"]
    assert copies == 2 * sizes["n_layer"] * 2 * 24 * 64 * 4
    by_operator = {row.path: row.values["activation_bytes"] for row in filled.by_operator}
    assert by_operator["concat"] == copies
    assert "kv_cache_bytes" not in plain.total


@pytest.mark.parametrize("layers", [1, 2, 3, 4, 5, 6, 11])
@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize("model", ["gpt2", "transformer-lm"])
def test_folded_equals_unrolled(model, phase, layers):
    """Totals and peaks of a model written out; the tensors alive after each kernel add up."""
    sizes = {**(GPT2 if model == "gpt2" else LM), "n_layer": layers}
    length = {"seq_len": 16} if phase == "prefill" else {"cache_len": 16}
    graph = graphacct.build(model, phase=phase, batch=2, set=sizes, **length)
    flat = graph.unroll()
    assert graphacct.account(graph).total == graphacct.account(flat).total
    one, other = memory(graph), memory(flat)
    assert (one.phase, one.peak, one.kv_cache_bytes, one.total) == (
        phase,
        other.peak,
        other.kv_cache_bytes,
        other.total,
    )
    assert one.kv_bytes_per_token == other.kv_bytes_per_token == 2 * layers * 64 * 4
    steps = inference(graph)
    with changes_once():
        for position, live in enumerate(live_bytes(steps)):
            assert sum(storage.bytes * count for storage, count in live_storages(steps, position)) == live


@given(
    st.lists(st.sampled_from(["keep", "drop", "copy"]), min_size=1, max_size=3), st.integers(1, 9), st.integers(1, 8)
)
def test_what_an_earlier_step_left_folded_and_unrolled(uses, inner, outer):
    """In nested blocks, whose bodies give up, hand on or hand out what they found: peak and end are those of the graph
    written out, and what is there at the start is all of it."""

    def body(b, x):
        for index, use in enumerate(uses):
            held = b.apply("kv_cache", name=f"c{index}", shape=(1, 3, 1 + index))
            value = b.apply("relu", held, name=f"r{index}")
            if use != "drop":
                b.emit(held if use == "keep" else value)
        return b.apply("relu", x, name="x")

    def around(b, x):
        return b.repeat("in", inner, body, x)

    builder = Builder("found", default().operators)
    x = builder.repeat("out", outer, around, builder.input("x", (5, 2)))
    graph = builder.graph(builder.apply("relu", x, name="last"))
    ends = []
    for form in (graph, graph.unroll()):
        alive = live_bytes(inference(form))
        ends.append((alive[0], max(alive), alive[-1]))
    assert ends[0] == ends[1]
    sizes = [inner * outer * 3 * (1 + index) * 4 for index in range(len(uses))]
    assert ends[0][0] == sum(sizes), "all that was left"
    stays = sum(size for size, use in zip(sizes, uses, strict=True) if use != "drop")
    assert ends[0][2] == stays + 2 * 5 * 2 * 4, "what was handed out, and the last kernel's operand and output"


def test_quantities_without_a_window_grow_by_the_token():
    """Of one more token in the prompt and in the cache: kv_bytes_per_token for each sequence."""
    for phase, size in (("prefill", "seq_len"), ("decode", "cache_len")):
        short, long = (memory("gpt2", phase=phase, batch=3, set=GPT2, **{size: n}) for n in (20, 21))
        assert long.kv_cache_bytes - short.kv_cache_bytes == 3 * short.kv_bytes_per_token
        assert short.kv_bytes_per_token == 2 * 2 * 64 * 4


def test_phases_without_a_cache_know_what_a_token_would_take():
    """2 · 12 layers · 768 · 2 bytes in bf16 for GPT-2; null where the architecture has no prefill or the graph is
    finished."""
    for phase in ("forward", "train"):
        found = memory("gpt2", phase=phase, dtype="bf16", seq_len=8)
        assert (found.kv_cache_bytes, found.kv_bytes_per_token) == (0, 2 * 12 * 768 * 2)
    assert memory("resnet18", phase="forward").kv_bytes_per_token is None
    assert memory(graphacct.build("gpt2", seq_len=8), phase="forward").kv_bytes_per_token is None


def test_the_cache_is_in_no_other_part():
    """The old cache is no buffer: GPT-2 has none, and the worksheet's model its rotary tables of one position alone."""
    assert memory("gpt2", phase="decode", cache_len=99).buffers == 0
    assert memory("transformer-lm", phase="decode", cache_len=99, set=LM).buffers == 2 * 8 * 4
    graph = graphacct.build("gpt2", phase="decode", cache_len=99)
    kinds = [tensor.storage.kind for step in inference(graph).calls for tensor in step.outputs]
    assert PREEXISTING in kinds


def test_finished_graphs_have_the_phase_that_they_were_built_for():
    """A graph with a cache is taken as one; another phase of it is refused, and so is a phase that a model lacks."""
    graph = graphacct.build("gpt2", phase="decode", cache_len=20, set=GPT2)
    assert memory(graph).phase == memory(graph, phase="decode").phase == "decode"
    with pytest.raises(
        ConfigError, match="'gpt2' is a finished graph of the phase 'decode', which has no phase 'prefill'"
    ):
        memory(graph, phase="prefill")
    with pytest.raises(ConfigError, match="resnet has no phase 'prefill': it has forward, train"):
        memory("resnet18", phase="prefill")
    with pytest.raises(ConfigError, match="cache_len is the size of a decoding step"):
        memory("gpt2", phase="prefill", cache_len=4)


def test_symbols_give_a_formula():
    """With symbols for layers, tokens, both and the window, at numbers the formula is what these numbers give."""
    sympy = pytest.importorskip("sympy")
    layers, tokens = (sympy.Symbol(name, integer=True, positive=True) for name in ("L", "n"))

    def gpt2(depth, cached):
        return memory("gpt2", phase="decode", cache_len=cached, attention="fused", set={**GPT2, "n_layer": depth})

    # both at once in a small stack: in all of GPT-2 sympy takes seconds to compare the formulas
    for model, depth, cached in ((gpt2, layers, 77), (gpt2, 8, tokens), (stack, layers, tokens)):
        found, at = model(depth, cached), model(8, 77)
        for figure in ("kv_cache_bytes", "peak", "total"):
            formula = getattr(found, figure)
            assert formula.free_symbols == {depth, cached} & {layers, tokens}, figure
            assert formula.subs({layers: 8, tokens: 77}) == getattr(at, figure), figure

    window = sympy.Symbol("w", integer=True, positive=True)
    workload = Workload(batch=1, seq_len=1, phase="decode", cache_len=tokens)
    b = Builder("windowed", default().operators)
    with_cache(b, b.input("k", (1, 2, 1, 16)), "k", workload, window)
    report = graphacct.account(attrs_phase(b.graph(), "decode"))
    formula = report.total["kv_cache_bytes"]
    for held, wide, kept in ((10, 4, 4), (3, 4, 4), (2, 4, 3)):
        assert formula.subs({tokens: held, window: wide}) == kept * 2 * 16 * 4


def stack(depth, cached):
    """The memory of a decoding step of layers with a cache and nothing else: 2 heads of width 8."""
    workload = Workload(batch=1, seq_len=1, phase="decode", cache_len=cached)
    b = Builder("stack", default().operators)

    def layer(inner, x):
        k, v = (with_cache(inner, x, label, workload) for label in "kv")
        return inner.apply("scaled_dot_product_attention", x, k, v, name="sdpa")

    return memory(attrs_phase(b.graph(b.repeat("layers", depth, layer, b.input("x", (1, 2, 1, 8)))), "decode"))


def attrs_phase(graph, phase):
    """The graph, built for a phase."""
    import attrs

    return attrs.evolve(graph, workload={"phase": phase})
