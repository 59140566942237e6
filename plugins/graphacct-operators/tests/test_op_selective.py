"""Recomputation by operator, by hand: what a layer keeps, what it runs again, and when what it keeps is let go."""

from graphacct_operators.recompute import op_selective

import graphacct
from graphacct import memory
from graphacct.hooks.manager import default

LAYERS, BATCH, SEQ, WIDTH, HEADS, KV_WIDTH, HIDDEN = 3, 2, 16, 64, 4, 32, 96
TOKENS = BATCH * SEQ
SMALL = {
    "batch": BATCH,
    "seq_len": SEQ,
    "dtype": "bfloat16",
    "set": {
        "vocab_size": 512,
        "hidden_size": WIDTH,
        "intermediate_size": HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
    },
}
LAYER = {
    "self_attn.q_proj": TOKENS * WIDTH * 2,  # the products in order: q, k, v, o, gate, up, down; saved are the 1st,
    "self_attn.v_proj": TOKENS * KV_WIDTH * 2,  # the 3rd, the 5th and the 7th, 2 bytes an element
    # the output, a float32 log-sum-exp a row, and the state of the random numbers, three int64
    "self_attn.sdpa": TOKENS * WIDTH * 2 + BATCH * HEADS * SEQ * 4 + 24,
    "mlp.gate_proj": TOKENS * HIDDEN * 2,
    "mlp.down_proj": TOKENS * WIDTH * 2,
}
"""Bytes that one layer keeps beside what enters it."""


def trained(recompute, model="llama-2-7b", **options):
    return graphacct.account(model, phase="train", recompute=recompute, **SMALL | options)


def test_what_a_layer_keeps():
    """The outputs of attention and of every second product, beside the layer's input, which `full` keeps alone."""
    report, full = trained("op-selective"), trained("full")
    own = {path: LAYERS * size for path, size in LAYER.items()}
    assert {path: report[f"model.layers.*.{path}"].values["saved_bytes"] for path in own} == own
    assert report["model.layers.*.input_layernorm"].values["saved_bytes"] == LAYERS * TOKENS * WIDTH * 2
    assert report.total["saved_bytes"] - full.total["saved_bytes"] == sum(own.values())
    assert memory("llama-2-7b", recompute="op-selective", **SMALL).saved_activations == report.total["saved_bytes"]


def test_what_is_run_again():
    """The products of k, o and up: 2 FLOPs per multiply-add; attention only as its own backward kernel does."""
    again, once = (trained(what).total["recompute_matmul_flops"] for what in ("op-selective", "none"))
    assert again - once == LAYERS * 2 * TOKENS * WIDTH * (KV_WIDTH + WIDTH + HIDDEN)


def test_a_saved_product_does_not_run_again():
    """In the backward pass of a layer three products run again, of seven, and attention does not."""
    timeline = memory("llama-2-7b", recompute="op-selective", **SMALL).timeline
    again = [row for row in timeline if row.run == "recompute"]
    products = [row.node.rpartition(".")[2] for row in again if row.operator == "linear"]
    assert products[:3] == ["k_proj", "o_proj", "up_proj"]
    assert products == products[:3] * (len(products) // 3)
    assert not [row for row in again if row.operator == "scaled_dot_product_attention"]


def test_what_is_saved_goes_in_the_backward_pass():
    """When all layers are through, as much is left as where they kept nothing of the kind; before, there is more."""
    ours, full = (memory("llama-2-7b", recompute=what, **SMALL).timeline for what in ("op-selective", "full"))
    assert [row.live_bytes for row in ours[-2:]] == [row.live_bytes for row in full[-2:]]
    first = [next(row for row in rows if row.run == "backward").live_bytes for rows in (ours, full)]
    assert first[0] - first[1] == LAYERS * sum(LAYER.values())
    peaks = [memory("llama-2-7b", recompute=what, **SMALL).backward_peak for what in ("full", "op-selective", "none")]
    assert peaks == sorted(peaks)


def test_folded_equals_unrolled():
    """Products are counted within a layer, whether or not its layers are written out."""
    graph = graphacct.build("llama-2-7b", phase="train", **SMALL)
    folded, flat = (graphacct.account(form, recompute="op-selective").total for form in (graph, graph.unroll()))
    assert folded == flat


def test_products_of_a_bias_and_of_the_other_layout():
    """GPT-2's products: c_attn and c_fc are the first and the third, saved; the two c_proj run again."""
    graph = graphacct.build("gpt2", seq_len=16)
    ordinals = {"attn.c_attn": 0, "attn.c_proj": 1, "mlp.c_fc": 2, "mlp.c_proj": 3}
    nodes = {node.name.removeprefix("transformer.h.*."): node for node in graph.walk()}
    operators = default().operators
    words = {name: op_selective(nodes[name], operators[nodes[name].operator], at) for name, at in ordinals.items()}
    assert words == dict(zip(ordinals, ("save", "recompute") * 2, strict=True))
    assert op_selective(nodes["attn.sdpa"], operators[nodes["attn.sdpa"].operator], 0) == "save"
