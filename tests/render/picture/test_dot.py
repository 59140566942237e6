"""The picture as Graphviz source."""

from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion

from graphacct import Builder, Graph, GraphacctError, NodeCost, Report, Value, account, hookimpl
from graphacct.errors import RenderError
from graphacct.hooks.manager import Plugins, default, load
from graphacct.render.picture import dot_source, labels
from graphacct.render.picture.dot import draw
from graphacct.render.picture.engine import PictureWarning
from graphacct.render.picture.palette import RESIDUAL, TIED


@pytest.fixture(scope="module")
def gpt2() -> Report:
    return account("gpt2", attention="eager")


def tiny() -> Graph:
    """Two repetitions of a linear layer with a residual connection, and a head that shares its weight."""
    builder = Builder("tiny", default().operators, workload={"batch": 2})
    weight = builder.parameter("embed.weight", (4, 4))
    x = builder.apply("linear", builder.input("x", (2, 4)), weight, name="embed")

    def body(b: Builder, x: Value) -> Any:
        return b.apply("add", x, b.apply("relu", x, name="act"), name="join")

    x = builder.repeat("layers", 2, body, x)
    tied = builder.parameter("head.weight", (4, 4), tied_to="embed.weight")
    return builder.graph(builder.apply("linear", x, tied, name="head"))


def nodes(source: str) -> dict[str, str]:
    """The statement of each node, by id."""
    return dict(re.findall(r"^\s*(n\d+) \[(.*)\]$", source, re.M))


def edges(source: str) -> list[tuple[str, str, str]]:
    """Tail, head and attributes of each edge."""
    return re.findall(r"^\s*(n\d+) -> (n\d+) \[(.*)\]$", source, re.M)


def test_the_source_of_a_small_model(snapshot: SnapshotAssertion) -> None:
    """The whole source, so that a change of the picture is seen where it is made."""
    assert draw(account(tiny())).source == snapshot


def test_the_same_report_gives_the_same_bytes(gpt2: Report) -> None:
    """Nothing in the source depends on the order of a set or on an address."""
    again = account("gpt2", attention="eager")
    assert draw(gpt2, depth=4).source == draw(again, depth=4).source


def test_scopes_are_nested_clusters(gpt2: Report) -> None:
    """transformer holds h.*, which holds attn and mlp: four clusters beside the one around the picture."""
    source = draw(gpt2, depth=4).source
    opened = re.findall(r"subgraph (\w+)", source)
    assert opened == ["cluster_picture", "cluster_0", "cluster_1", "cluster_2", "cluster_3"]
    lines = source.splitlines()
    depth = {line.split()[1]: len(line) - len(line.lstrip("\t")) for line in lines if "subgraph" in line}
    assert depth["cluster_0"] + 1 == depth["cluster_1"]
    assert depth["cluster_2"] == depth["cluster_3"] == depth["cluster_1"] + 1


def test_a_repeated_block_is_drawn_once_and_says_how_often_it_runs() -> None:
    """GPT-2 XL has 48 layers: one ln_1, and the block's cluster is labelled so."""
    source = draw(account("gpt2-xl", attention="eager")).source
    assert source.count("<B>ln_1</B>") == 1
    label = next(line for line in source.splitlines() if "<B>h.*</B>" in line)
    assert "<B>  ×48</B>" in label


def test_a_collapsed_block_says_how_often_it_runs(gpt2: Report) -> None:
    """At depth 2 GPT-2's block is one box, with ×12 and a double outline."""
    box = next(text for text in nodes(draw(gpt2, depth=2).source).values() if "<B>h.*</B>" in text)
    assert "×12" in box
    assert "peripheries=2" in box


def test_the_title_states_the_totals(gpt2: Report) -> None:
    """124,439,808 parameters are 124 M."""
    head = draw(gpt2).source.split("subgraph", 1)[0]
    assert "<B>gpt2</B>" in head
    assert "124 M parameters" in head


def test_the_caption_states_convention_coverage_and_workload() -> None:
    """What the figures count and for which sizes stands in the picture itself."""
    source = draw(account("gpt2", attention="eager", convention="matmul", seq_len=512)).source
    assert "convention matmul · 31 of 31 nodes costed · batch 1, seq_len 512, attention eager, dtype float32" in source


def test_the_legend_explains_the_colours_and_the_lines(gpt2: Report) -> None:
    """The scale from 0 to the largest value, and a sample of each kind of line that the picture has."""
    source = draw(gpt2).source
    assert "flops:  0" in source
    for words in ("residual", "next repetition"):
        assert f">  {words}<" in source
    flat = draw(account("transformer-lm-small", attention="eager"), depth=1).source
    assert ">  next repetition<" not in flat


def test_a_node_states_its_name_operator_shape_parameters_flops_and_share(gpt2: Report) -> None:
    """lm_head: 2 · 1024 · 768 · 50257 = 79,047,426,048 FLOPs, its weight counted at wte."""
    box = next(text for text in nodes(draw(gpt2).source).values() if "<B>lm_head</B>" in text)
    share = 79_047_426_048 / gpt2.total["flops"]
    for piece in ("linear", "[1, 1024, 50257]", "79.0 GFLOP", f"{share * 100:.2f} %"):
        assert piece in box
    wte = next(text for text in nodes(draw(gpt2).source).values() if "<B>wte</B>" in text)
    assert "38.6 M params" in wte  # 50257 · 768 = 38,597,376


def test_edges_state_shapes_that_change(gpt2: Report) -> None:
    """An edge says what the views folded into it make of a value, but nothing that its box says."""
    labels = re.findall(r"label=<<FONT [^>]*> &#160;([^<]*) </FONT>>", draw(gpt2, depth=4).source)
    assert labels.count("[1, 12, 64, 1024]") == 1  # the keys, transposed
    assert labels.count("[1, 12, 1024, 64]") == 2  # the queries and the values
    assert "[1, 1024, 3072]" not in labels  # into the activation, as c_fc's box says


def test_the_darkest_box_has_most_of_the_chosen_quantity(gpt2: Report) -> None:
    """By FLOPs the MLP is darkest, by activation bytes the attention is."""

    def fills(quantity: str) -> dict[str, str]:
        found = {}
        for text in nodes(draw(gpt2, color_by=quantity, depth=3).source).values():
            name = re.search(r"<B>(attn|mlp)</B>", text)
            if name:
                found[name[1]] = re.search(r'fillcolor="(#\w+)"', text)[1]  # type: ignore[index]
        return found

    darkest = "#92261b"
    assert fills("flops")["mlp"] == darkest != fills("flops")["attn"]
    assert fills("activation_bytes")["attn"] == darkest != fills("activation_bytes")["mlp"]


def test_an_unknown_quantity_is_an_error_that_names_the_closest(gpt2: Report) -> None:
    """A typing error says what was meant."""
    with pytest.raises(GraphacctError, match="unknown quantity 'matmul_flop'; did you mean 'matmul_flops'"):
        draw(gpt2, color_by="matmul_flop")


@pytest.mark.parametrize("depth", [0, -1])
def test_a_depth_below_one_is_an_error(gpt2: Report, depth: int) -> None:
    """Depth 1 is the top-level scopes; there is nothing above them."""
    with pytest.raises(GraphacctError, match=f"at least 1 .*not {depth}"):
        draw(gpt2, depth=depth)


def test_residual_and_loop_edges_stand_out(gpt2: Report) -> None:
    """Two residual connections in a block in the residual colour, and one dotted edge that takes the stream round."""
    found = [text for _, _, text in edges(draw(gpt2, depth=4).source) if RESIDUAL in text]
    assert sum("style=dotted" in text for text in found) == 1
    assert sum("penwidth=2.2" in text for text in found) == 2


def test_boxes_say_with_what_they_share_a_weight(gpt2: Report) -> None:
    """wte and lm_head name each other, without a line around the picture; an untied model has no such words."""
    source = draw(gpt2).source
    named = {name[1]: text for text in nodes(source).values() if (name := re.search(r"<B>([^<]*)</B>", text))}
    assert f'COLOR="{TIED}">  tied to lm_head<' in named["wte"]
    assert ">  tied to wte<" in named["lm_head"]
    assert not [edge for edge in edges(source) if TIED in edge[2]]
    assert "tied to" not in draw(account("transformer-lm-small", attention="eager")).source


def test_views_are_drawn_on_request(gpt2: Report) -> None:
    """The transposed keys are an edge, or three boxes with `views`."""
    assert "k_last" not in re.sub(r'tooltip="[^"]*"', "", draw(gpt2, depth=4).source)
    assert "k_last" in re.sub(r'tooltip="[^"]*"', "", draw(gpt2, depth=4, views=True).source)


def test_the_tooltip_states_the_formula_and_the_exact_figures(gpt2: Report) -> None:
    """The formula in symbols and with its values: 2 · 1024 · 768 · 2304 = 3,623,878,656 in one of the twelve layers."""
    source = draw(gpt2, depth=4).source
    box = next(text for text in nodes(source).values() if "<B>c_attn</B>" in text)
    assert "matmul_flops = 2 · batch · k · n = 2 · 1,024 · 768 · 2,304 = 3,623,878,656 (one pass)" in box
    assert r"\nmatmul_flops 43,486,543,872\n" in box  # 12 · 3,623,878,656


def test_the_tooltip_leaves_out_a_formula_that_the_convention_does_not_follow() -> None:
    """Under `matmul` a GELU costs nothing, and its tooltip shows no product that would say otherwise."""
    box = next(
        t
        for t in nodes(draw(account("gpt2", attention="eager", convention="matmul"), depth=4).source).values()
        if ".act" in t
    )
    assert "vector_flops =" not in box


def test_another_formula_can_be_given(gpt2: Report) -> None:
    """`formula` says what stands in the tooltip of a node."""
    source = draw(gpt2, formula=lambda record: [f"<{record.node.operator}> explained"]).source
    assert "<linear> explained" in source


def test_a_node_without_cost_is_dashed_and_says_so() -> None:
    """What no total contains is seen at the node, at the scopes around it, and in the caption."""
    import partial

    source = draw(partial.report(), depth=4).source
    box = next(text for text in nodes(source).values() if "mystery" in text)
    assert "no cost" in box
    assert "dashed" in box
    assert "1 without cost" in next(line for line in source.splitlines() if "<B>attn</B>" in line)
    assert "29 of 31 nodes costed" in source
    assert "Not counted, in no total" in source
    collapsed = next(text for text in nodes(draw(partial.report()).source).values() if "<B>attn</B>" in text)
    assert "1 without cost" in collapsed


def test_unrolled_every_layer_is_drawn(gpt2: Report) -> None:
    """Twelve boxes at depth 2, which have the share of one layer each and no ×12."""
    source = draw(gpt2, depth=2, unroll=True).source
    assert len(re.findall(r"<B>h\.\d+</B>", source)) == 12
    assert "×12" not in source


def test_too_many_boxes_warn_and_say_how_to_collapse() -> None:
    """GPT-2 XL unrolled has 48 · 15 operators and more: laying them out takes minutes.

    Depth 2 draws 48 · 6 boxes and more, which take half a minute.
    """
    report = account("gpt2-xl", attention="eager")
    with pytest.warns(PictureWarning, match=r"729 boxes.*depth=3.*without unroll=True"):
        draw(report, depth=4, unroll=True)
    with pytest.warns(PictureWarning, match="without unroll=True"):
        draw(report, unroll=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(report, depth=4)


def test_more_than_graphviz_could_ever_draw_is_refused_at_once() -> None:
    """A million layers of GPT-2: 24 operators in each, and 7 around them."""
    with pytest.raises(RenderError, match="unrolled has 24,000,007 operators, and at most 100,000 are drawn"):
        draw(account("gpt2", attention="eager", set={"n_layer": 1_000_000}), unroll=True)


def styled(**hooks: Any) -> Plugins:
    """The default plugins and one more, with these hooks."""
    plugins = load()
    plugins.register(type("Module", (), {name: staticmethod(hook) for name, hook in hooks.items()}), "style", "a test")
    return plugins


def test_a_plugin_styles_nodes() -> None:
    """What the hook returns is merged over the core's attributes."""

    @hookimpl
    def graphacct_node_style(node: Any, cost: NodeCost | None) -> dict[str, str] | None:
        assert cost is not None
        return {"shape": "hexagon"} if node.operator == "softmax" else None

    source = draw(
        account("gpt2", attention="eager"), depth=4, plugins=styled(graphacct_node_style=graphacct_node_style)
    ).source
    assert [text for text in nodes(source).values() if "shape=hexagon" in text and "<B>softmax</B>" in text]
    assert source.count("shape=hexagon") == 1


def test_a_style_that_is_no_dictionary_of_text_is_an_error() -> None:
    """The error names the node and what was returned."""

    @hookimpl
    def graphacct_node_style(node: Any, cost: Any) -> Any:
        return {"penwidth": 3}

    plugins = styled(graphacct_node_style=graphacct_node_style)
    with pytest.raises(GraphacctError, match=r"node 'transformer.wte'.*graphacct_node_style.*penwidth"):
        draw(account("gpt2", attention="eager"), plugins=plugins)


def test_symbols_are_drawn_without_colours() -> None:
    """A size that is a symbol prints as itself, and there is no scale to colour by."""
    import sympy

    source = draw(
        account("transformer-lm-small", attention="eager", seq_len=sympy.Symbol("s", positive=True, integer=True))
    ).source
    assert "[1, s, 768]" in source
    assert "flops:  0" not in source


def test_a_picture_coloured_by_a_ratio(gpt2: Report) -> None:
    """Boxes have the ratio of their own sums and no share; those without one (views move nothing) have no colour."""
    source = draw(gpt2, color_by="arithmetic_intensity", views=True).source
    assert "FLOP/byte arithmetic_intensity" in source
    assert " %</FONT>" not in source
    assert "arithmetic_intensity:  0" in source, "the scale"


def test_nodes_of_a_dot_file_are_named_by_their_paths() -> None:
    """Which is what viewers of such files show; an output has that of its node, and a free
    number."""
    b = Builder("twice")
    y = b.apply("relu", b.input("x", (2,)), name="act (2)")
    z = b.apply("relu", y, name="act")
    source = dot_source(account(b.graph(z)))
    edges = re.findall(r'^\t+(\S+|".*?") -> (\S+|".*?") \[', source, re.M)
    assert edges == [("x", '"act (2)"'), ('"act (2)"', "act"), ("act", '"act (3)"')]


def test_a_box_that_says_nothing_has_no_empty_text() -> None:
    """Graphviz takes it for an error: a scope with no figures and no one shape has its name and its share alone."""
    for narrow in (0, 1, 2):
        assert '"></FONT>' not in labels.box("rope", "8 nodes", "", "", "0 %", "#000000", narrow=narrow)
