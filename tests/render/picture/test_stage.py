"""Setting the scene: what a picture shows at each depth."""

from __future__ import annotations

import pytest

from graphacct import Builder, Graph, Report, account
from graphacct.graph.graph import Node, Value
from graphacct.hooks.manager import default
from graphacct.render.picture.chosen import DEEPEST, HIGHEST, LONGEST, MOST
from graphacct.render.picture.dot import draw
from graphacct.render.picture.places import beside
from graphacct.render.picture.scene import Scene
from graphacct.render.picture.stage import scene
from graphacct.reports.unrolled import unrolled
from graphacct.tensors import TensorSpec

MODELS = ("gpt2-xl", "transformer-lm-xl")


@pytest.fixture(scope="module", params=MODELS)
def report(request: pytest.FixtureRequest) -> Report:
    return account(request.param)


def paths(picture: Scene) -> list[str]:
    return [box.path for box in picture.boxes if box.kind in ("node", "scope")]


def chain(*names: str) -> Report:
    """ReLUs one after the other, under these names."""
    value = Value("x", TensorSpec((4,)))
    nodes = []
    for name in names:
        out = Value(name, TensorSpec((4,)))
        nodes.append(Node(name, "relu", (value,), (out,)))
        value = out
    return account(Graph("chain", (Value("x", TensorSpec((4,))),), tuple(nodes), (value,)))


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 9])
def test_boxes_and_scopes_have_the_figures_of_the_report(report: Report, depth: int) -> None:
    """What a box or a cluster states is its row of the report, at every depth."""
    picture = scene(report, default(), depth)
    for box in picture.boxes:
        if box.kind in ("node", "scope"):
            assert box.figures == report[box.path].figures
    for scope in picture.scopes.values():
        assert scope.figures == report[scope.chain[-1]].figures


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 9])
@pytest.mark.parametrize("views", [False, True])
def test_the_boxes_add_up_to_the_total(report: Report, depth: int, views: bool) -> None:
    """Folding and collapsing lose nothing."""
    picture = scene(report, default(), depth, views)
    for index, quantity in enumerate(report.quantities):
        if quantity.combine == "sum":
            assert sum(box.figures[index] for box in picture.boxes) == report.total[quantity.name]


def test_depth_one_is_the_top_level() -> None:
    """GPT-2 is a transformer and a head; an index is no level of its own."""
    report = account("gpt2", attention="eager")
    assert paths(scene(report, default(), 1)) == ["transformer", "lm_head"]
    assert paths(scene(report, default(), 2)) == [
        "transformer.wte",
        "transformer.position_ids",
        "transformer.wpe",
        "transformer.embed",
        "transformer.causal_mask",
        "transformer.h.*",
        "transformer.ln_f",
        "lm_head",
    ]


@pytest.mark.parametrize("name", [*MODELS, "llama-3-8b", "deepseek-v3", "t5-base", "hf-resnet-50"])
def test_the_default_picture_fits_a_screen(name: str) -> None:
    """Not more boxes than a screen takes; what is open is open by its cost, and the boxes add up to the total."""
    report = account(name, quantities=["params", "flops", "activation_bytes"])
    picture = scene(report, default())
    assert picture.length <= LONGEST
    assert len(picture.boxes) <= MOST
    for index, quantity in enumerate(report.quantities):
        assert sum(box.figures[index] for box in picture.boxes) == report.total[quantity.name]


def test_the_default_picture_of_a_llama_has_its_block() -> None:
    """Projections, norms and residuals have boxes of their own; the rotary tables are one."""
    picture = scene(account("llama-3-8b"), default())
    attention = ["q_proj", "k_proj", "v_proj", "q_rope", "k_rope", "sdpa", "o_proj"]
    mlp = ["gate_proj", "act", "up_proj", "gated", "down_proj"]
    block = ["input_layernorm", *attention, "attn_residual", "post_attention_layernorm", *mlp, "mlp_residual"]
    names = [path.rpartition(".")[2] for path in paths(picture)]
    assert names == ["embed_tokens", "rotary_emb", *block, "norm", "lm_head"]
    assert picture.depth == 4


def test_of_layers_that_differ_those_with_the_cost_are_open() -> None:
    """Of DeepSeek-V3's layers the first three are one box. Stages of a ResNet, which cost alike, are all open."""
    picture = scene(account("deepseek-v3", quantities=["params", "flops", "activation_bytes"]), default())
    assert [box.repeat for box in picture.boxes if box.path == "model.layers.*"] == [3]
    assert any(path.endswith("self_attn.sdpa") for path in paths(picture))
    stages = scene(account("hf-resnet-50", quantities=["params", "flops", "activation_bytes"]), default())
    assert sum(chain[-1].startswith("resnet.encoder.stages.") and len(chain) == 3 for chain in stages.scopes) == 4


def test_an_unrolled_picture_is_open_where_the_folded_one_is() -> None:
    """What was opened by its cost is opened in each layer; 2 layers of 18 boxes, and 4 around them."""
    options = {"seq_len": 64, "set": {"num_hidden_layers": 2}}
    report = account("llama-3-8b", **options)  # type: ignore[arg-type]
    folded = scene(report, default())
    every = scene(unrolled(report, default()), default(), None, False, folded.closed)
    layers = [path for path in paths(every) if ".layers." in path]
    assert len(layers) == 2 * sum(".layers." in path for path in paths(folded))


def test_a_residual_connection_is_told_by_its_structure(report: Report) -> None:
    """The two of a block, and not the values that go round the scores to the second product."""
    for depth in (3, 9):
        picture = scene(report, default(), depth)
        named = {box.id: box for box in picture.boxes}
        found = [(named[edge.tail], named[edge.head]) for edge in picture.edges if edge.kind == "residual"]
        if len(found) == 0:
            assert picture.depth < picture.levels
            continue
        assert [head.path.rpartition(".")[2] for _, head in found] in (
            ["attn_residual", "mlp_residual"],
            ["attn_residual", "ffn_residual"],
        )
        assert found[0][0].kind == "entry"


def test_unrolled_residuals_are_found_too() -> None:
    """Twelve layers with two each."""
    flat = account(account("gpt2", attention="eager").annotated.graph.unroll())
    picture = scene(flat, default(), 4)
    assert sum(edge.kind == "residual" for edge in picture.edges) == 24
    assert not [edge for edge in picture.edges if edge.kind == "loop"]


def test_each_value_enters_a_collapsed_scope_once() -> None:
    """The normalised input feeds three projections inside attn, and attn shows one arrow."""
    picture = scene(account("transformer-lm-small", attention="eager"), default(), 2)
    attn = next(box.id for box in picture.boxes if box.path == "layers.*.attn")
    tails = [edge.tail for edge in picture.edges if edge.head == attn]
    assert len(tails) == len(set(tails)) == 3  # the stream, cosine and sine


def test_a_view_inside_a_collapsed_scope_is_no_matter_of_the_edge_to_it() -> None:
    """attn turns what it gets and runs on that: the edge to its box has the shape that enters. A view before, and one
    inside whose result leaves, change the edge's."""
    builder = Builder("turned", default().operators)
    x = builder.apply("relu", builder.input("x", (2, 4, 8)), name="first")
    before = builder.apply("reshape", x, shape=(8, 8), name="flat")
    turned = builder.apply("transpose", before, dims=(1, 0), name="attn.turned")
    inside = builder.apply("relu", turned, name="attn.act")
    outside = builder.apply("relu", turned, name="last")
    report = account(builder.graph(builder.apply("add", inside, outside, name="sum")))
    picture = scene(report, default(), 1)
    boxes = {box.path: box.id for box in picture.boxes}
    edges = {(edge.tail, edge.head): edge for edge in picture.edges}
    assert edges[boxes["first"], boxes["attn"]].views == ("flat",)
    assert edges[boxes["first"], boxes["last"]].views == ("flat", "attn.turned")
    deeper = scene(report, default(), 2)
    boxes = {box.path: box.id for box in deeper.boxes}
    edges = {(edge.tail, edge.head): edge for edge in deeper.edges}
    assert edges[boxes["first"], boxes["attn.act"]].views == ("flat", "attn.turned")


def test_a_value_used_twice_by_one_node_has_two_arrows() -> None:
    """x + x is legal and looks so."""
    builder = Builder("double", default().operators)
    x = builder.input("x", (4,))
    picture = scene(account(builder.graph(builder.apply("add", x, x, name="sum"))), default())
    assert len([edge for edge in picture.edges if edge.head == picture.boxes[1].id]) == 2


def test_a_node_may_have_the_name_of_a_scope() -> None:
    """In a graph from outside `a` and `a.b` can both be nodes: the box of the collapsed scope has both."""
    report = chain("a", "a.b", "c")
    assert paths(scene(report, default(), 1)) == ["a", "c"]
    collapsed = scene(report, default(), 1).boxes[1]
    assert (collapsed.kind, collapsed.members) == ("scope", 2)
    assert collapsed.figures == report["a"].figures
    assert paths(scene(report, default(), 2)) == ["a", "a.b", "c"]


@pytest.mark.parametrize("name", [".", "..", "a..b", ".a", "a.", "*", "a.*.*", "0.1.2", " "])
def test_odd_names_are_paths_like_any_other(name: str) -> None:
    """Empty parts and bare indices neither hang nor fail."""
    for depth in (1, 2, 9):
        picture = scene(chain(name, "z"), default(), depth)
        assert sum(box.members for box in picture.boxes if box.kind in ("node", "scope")) == 2


def test_a_graph_of_nothing_has_an_empty_picture() -> None:
    """An input that is also the output."""
    value = Value("x", TensorSpec((4,)))
    picture = scene(account(Graph("identity", (value,), (), (value,))), default())
    assert [box.kind for box in picture.boxes] == ["input", "output"]
    assert len(picture.edges) == 1


def test_a_long_chain_is_set_in_linear_time() -> None:
    """20,000 nodes in a row: nothing recurses per node."""
    picture = scene(chain(*(f"n{index}" for index in range(20_000))), default())
    assert len(picture.boxes) == 20_002
    assert picture.length == 20_002


@pytest.mark.parametrize(("depth", "open_"), [(None, HIGHEST - 4), (5000, DEEPEST - 1)])
def test_scopes_that_are_nested_too_deep_are_collapsed(depth: int | None, open_: int) -> None:
    """A name of 1,000 parts is no reason to fail: Graphviz could not nest as many clusters. Without a depth the frames
    are as many as a page takes with the four boxes."""
    report = chain(".".join("a" * 1000), "z")
    assert scene(report, default(), depth).depth == open_ + 1
    assert draw(report, depth=depth).source.count("subgraph") == open_ + 1  # one of them the picture's own


def test_what_is_too_large_with_all_of_its_name_is_opened_alone() -> None:
    """Of a U-Net's stages one, of Jamba's layers the block around them; unrolled, the others stay closed too."""
    found = scene(account("stable-diffusion-v1-5-unet", quantities=["params", "flops"]), default())
    assert set(found.scopes) == {("down_blocks.0",)}
    assert found.closed is not None
    assert [found.closed(f"down_blocks.{stage}") for stage in range(3)] == [False, True, True]
    jamba = scene(account("jamba-v0.1", quantities=["params", "flops"]), default())
    assert ("model", "model.layers.8*") in jamba.scopes


def test_a_block_of_one_repetition_has_no_next_one() -> None:
    """Zamba2's layers with a shared transformer stand alone."""
    found = scene(account("zamba2-1.2b", quantities=["params", "flops"]), default())
    repeats = {chain: scope.repeat for chain, scope in found.scopes.items()}
    assert ("model", "model.layers.*+5") in repeats
    assert not [edge for edge in found.edges if edge.kind == "loop"]


def test_a_scope_that_is_entered_twice_makes_no_circle() -> None:
    """BERT's attention ends in a norm after the residual: closed, it is two boxes, of which the norm is a node; the
    boxes' figures still add up to the model's."""
    report = account("bert-base-uncased", seq_len=16)
    for depth in (1, 2, 3, 4):
        found = scene(report, default(), depth)
        order = {box.id: place for place, box in enumerate(found.boxes)}
        assert all(order[edge.tail] < order[edge.head] for edge in found.edges if edge.kind not in ("loop", "tied"))
        total = [sum(figures) for figures in zip(*(box.figures for box in found.boxes), strict=True)]
        names = [quantity.name for quantity in report.quantities]
        assert dict(zip(names, total, strict=True))["flops"] == report.total["flops"]
    layer = [box for box in scene(report, default(), 4).boxes if "layer.*" in box.path]
    assert [(box.kind, box.path.rpartition(".layer.*.")[2], box.visit) for box in layer if "attention" in box.path] == [
        ("scope", "attention", (1, 1)),
        ("node", "attention_residual", (1, 1)),
        ("node", "attention.output.LayerNorm", (1, 1)),
    ]


@pytest.mark.parametrize("name", ["llama-3-8b", "bert-base-uncased"])
def test_a_closed_scope_has_as_many_nodes_as_boxes_when_it_is_open(name: str) -> None:
    """Views that are in the arrows are no nodes for a reader; a page counts so too."""
    report = account(name, quantities=["params", "flops"])
    closed, opened = scene(report, default(), 1), scene(report, default(), 50)
    for box in closed.boxes:
        if box.kind == "scope":
            assert box.members == sum(one.kind == "node" and one.scopes[:1] == (box.path,) for one in opened.boxes)


def test_what_is_only_stored_is_in_its_scope() -> None:
    """BERT's bias for words stands in its head, beside what uses it, and not beside the picture."""
    report = account("bert-base-uncased", quantities=["params", "flops"])
    assert {box.path for box in scene(report, default(), 1).boxes if box.kind == "node"} == set()
    opened = scene(report, default(), 50)
    paths = {box.id: box.path.rpartition(".")[2] for box in opened.boxes}
    assert [(paths[one], paths[alone]) for one, alone in beside(opened)] == [("decoder", "stored_bias")]
