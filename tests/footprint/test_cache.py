"""What a cache of keys and values holds, by the heads that are cached, windows and latents: stacks built by hand."""

from types import ModuleType

import attrs
import pytest
from graphacct_architectures.layers import with_cache
from runs import scheduled

import graphacct
from graphacct import AnnotatedGraph, Builder, NodeCost, memory
from graphacct.costs.conventions import EXACT
from graphacct.footprint.cache import token_bytes
from graphacct.footprint.liveness import live_bytes
from graphacct.hooks.manager import default, load
from graphacct.models.workload import Workload


def layer(workload, heads, groups, width, window=None, fused=True):
    """A layer's attention with `groups` heads of keys and values for `heads` of queries, repeated `layers` times."""

    def body(b, x):
        batch, tokens = x.spec.shape[0], x.spec.shape[2]
        q = b.apply("relu", x, name="q")
        new = b.apply("slice", x, name="kv", dim=1, start=0, length=groups)
        k, v = (with_cache(b, new, label, workload, window) for label in "kv")
        causal = workload.phase == "prefill"
        if fused:
            return b.apply("scaled_dot_product_attention", q, k, v, name="sdpa", causal=causal)
        seen = k.spec.shape[-2]
        k, v = (
            b.apply(
                "reshape",
                b.apply(
                    "expand",
                    b.apply("reshape", value, name=f"{label}_grouped", shape=(batch, groups, 1, seen, width)),
                    name=f"{label}_expanded",
                    shape=(batch, groups, heads // groups, seen, width),
                ),
                name=f"{label}_repeated",
                shape=(batch, heads, seen, width),
            )
            for label, value in (("k", k), ("v", v))
        )
        scores = b.apply("matmul", q, b.apply("transpose", k, name="kt", dims=(-2, -1)), name="scores")
        assert scores.spec.shape == (batch, heads, tokens, seen)
        return b.apply("matmul", b.apply("softmax", scores, name="softmax"), v, name="values")

    return body


def on_a_cpu(graph):
    """The schedule of a graph on a CPU, without gradients."""
    return scheduled(graph, trained=lambda parameter: False)


def stack(phase, parts, heads=8, width=16, tokens=10, batch=2, dtype="float32", fused=True):
    """The report of blocks (layers, heads with keys and values, window), on a prompt or a cache of `tokens`."""
    sizes = {"seq_len": tokens} if phase == "prefill" else {"seq_len": 1, "cache_len": tokens}
    workload = Workload(batch=batch, phase=phase, **sizes)
    b = Builder("stack", default().operators, dtype, {"phase": phase})
    x = b.input("x", (batch, heads, sizes["seq_len"], width))
    for index, (layers, groups, window) in enumerate(parts):
        x = b.repeat(f"part_{index}", layers, layer(workload, heads, groups, width, window, fused), x)
    graph = b.graph(x)
    flat, report = graphacct.account(graph.unroll()), graphacct.account(graph)
    assert flat.total == report.total
    assert memory(graph).peak == memory(graph.unroll()).peak
    return report


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("groups", [8, 2, 1])
@pytest.mark.parametrize(("phase", "held"), [("prefill", 10), ("decode", 11)])
def test_heads_of_the_cache_are_those_of_the_keys(phase, held, groups, fused):
    """Multi-head, grouped and multi-query: 2 · layers · heads with keys · width · 4 bytes a token, however many heads
    queries have; repeating the heads for attention is none of the cache's."""
    report = stack(phase, [(5, groups, None)], fused=fused)
    assert report.total["kv_bytes_per_token"] == 2 * 5 * groups * 16 * 4
    assert report.total["kv_cache_bytes"] == 2 * held * 2 * 5 * groups * 16 * 4, "batch 2"


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize(
    ("tokens", "window", "before", "after"),
    [(10, 4, 4, 4), (4, 4, 4, 4), (3, 4, 3, 4), (2, 4, 2, 3), (10, 1, 1, 1), (10, 11, 10, 11), (10, 10, 10, 10)],
)
def test_a_window_in_decoding(tokens, window, before, after, fused):
    """The step finds min(tokens, window), and attention sees, the new token among them, min(tokens + 1, window): 2
    products of 2 · batch 2 · 8 heads · 16 · seen FLOPs a layer. So many stay."""
    report = stack("decode", [(3, 2, window)], tokens=tokens, fused=fused)
    caches = [node for node in report.annotated.graph.walk() if node.operator == "kv_cache"]
    assert {node.outputs[0].spec.shape for node in caches} == {(2, 2, before, 16)}
    assert report.total["kv_cache_bytes"] == 2 * after * 2 * 3 * 2 * 16 * 4
    assert report.total["kv_bytes_per_token"] == 2 * 3 * 2 * 16 * 4, "as while the window is not full"
    assert report.total["matmul_flops"] == 3 * 2 * (2 * 2 * 8 * 16 * after)


@pytest.mark.parametrize(("tokens", "window", "kept"), [(10, 4, 4), (4, 4, 4), (3, 4, 3)])
def test_a_window_in_a_prefill(tokens, window, kept):
    """Attention runs over the whole prompt, and the last `window` tokens are kept; the storage behind them is that of
    the prompt until the next step, as the library's cache keeps a view."""
    report = stack("prefill", [(3, 2, window)], tokens=tokens)
    assert report.total["kv_cache_bytes"] == 2 * kept * 2 * 3 * 2 * 16 * 4
    assert report.total["matmul_flops"] == 3 * 2 * (2 * 2 * 8 * 16 * tokens * tokens)
    at_end = live_bytes(on_a_cpu(report.annotated.graph))[-1]
    queries = output = 2 * 8 * tokens * 16 * 4
    logsumexps = 2 * 8 * tokens * 4
    assert at_end == 2 * tokens * 2 * 3 * 2 * 16 * 4 + queries + output + logsumexps, (
        "caches, and the last kernel's own"
    )


def test_layers_with_and_without_a_window():
    """Gemma's kind of stack: each layer holds its own number of tokens, 11 of 10 + 1 without a window, 4 with one of 4;
    a further token adds to all while no window is full."""
    report = stack("decode", [(2, 2, 4), (1, 2, None), (2, 1, 4)], tokens=10)
    token = 16 * 4
    assert report.total["kv_cache_bytes"] == 2 * 2 * token * (2 * 2 * 4 + 1 * 2 * 11 + 2 * 1 * 4)
    assert report.total["kv_bytes_per_token"] == 2 * token * (2 * 2 + 1 * 2 + 2 * 1)


@pytest.mark.parametrize(
    ("layers", "heads", "groups", "width", "published"),
    [(126, 128, 8, 128, 516_096), (80, 64, 8, 128, 327_680)],
    ids=["Llama-3.1-405B", "Qwen2.5-72B"],
)
def test_published_sizes(layers, heads, groups, width, published):
    """2 · layers · 8 · 128 · 2 bytes a token in bf16, from the layers and heads of the published configurations."""
    report = stack("decode", [(layers, groups, None)], heads, width, tokens=99, batch=3, dtype="bfloat16")
    assert report.total["kv_bytes_per_token"] == 2 * layers * groups * width * 2 == published
    assert report.total["kv_cache_bytes"] == 3 * (99 + 1) * published


def test_a_latent_for_all_heads():
    """(batch, tokens, width): a token is one row of the width, as multi-head latent attention caches it."""
    workload = Workload(batch=2, seq_len=1, phase="decode", cache_len=7)
    b = Builder("latent", default().operators, "bfloat16", {"phase": "decode"})
    latent = with_cache(b, b.input("latent", (2, 1, 576)), "latent", workload)
    report = graphacct.account(b.graph(latent))
    assert latent.spec.shape == (2, 8, 576)
    assert (report.total["kv_bytes_per_token"], report.total["kv_cache_bytes"]) == (576 * 2, 2 * 8 * 576 * 2)


def test_a_cache_of_a_plugin_counts():
    """What an operator declares as cached is counted, whatever its name: 3 tokens of width 4 in float16 for each of 2
    sequences, in 5 layers; a token is 4 · 2 bytes a layer. What does not grow says 0."""

    @graphacct.operator(
        "x: b n d -> b n d", infer=lambda x: x, view=True, caches=lambda d, *, grows=True: 2 * d * grows
    )
    def ring_keep():
        return graphacct.Work()

    plugins = load()
    module = ModuleType("ring")
    module.graphacct_register_operators = graphacct.hookimpl(lambda: [ring_keep])
    module.graphacct_register_operators.__name__ = "graphacct_register_operators"
    plugins.register(module, "ring", "ring.py")

    def body(b, x):
        b.emit(b.apply("ring_keep", x, name="kept"), b.apply("ring_keep", x, name="fixed", grows=False))
        return b.apply("relu", x, name="next")

    b = Builder("rings", plugins.operators, "float16", {"phase": "prefill"})
    graph = b.graph(b.repeat("layers", 5, body, b.input("x", (2, 3, 4))))
    for form in (graph, graph.unroll(plugins.operators)):
        found = memory(form, plugins=plugins)
        assert (found.kv_cache_bytes, found.kv_bytes_per_token) == (2 * 5 * 2 * 3 * 4 * 2, 5 * 4 * 2)


@pytest.mark.parametrize("caches", [lambda x: None, lambda x: -1, lambda x: 1 / 0])
def test_a_cache_that_is_no_number_of_bytes(caches):
    """The error names the node and the operator."""
    ring = graphacct.operator("x: b n d -> b n d", name="ring_keep", infer=lambda x: x, view=True, caches=caches)(
        lambda: graphacct.Work()
    )
    b = Builder("ring", {"ring_keep": ring}, workload={"phase": "prefill"})
    annotated = AnnotatedGraph(b.graph(b.apply("ring_keep", b.input("x", (1, 2, 3)))), (), EXACT)
    record = NodeCost(annotated.graph.nodes[0], graphacct.Cost())
    with pytest.raises(graphacct.OperatorError, match=r"^node 'ring_keep', operator 'ring_keep'"):
        token_bytes(attrs.evolve(annotated, costs=(record,)), {"ring_keep": ring})
