"""Any number can be asked for its formula, the values in it, its convention and its source."""

import pytest

import graphacct
from graphacct.errors import UnknownNameError
from graphacct.explanations.explanation import explain
from graphacct.explanations.formulas import formulas
from graphacct.explanations.lookup import resolve
from graphacct.hooks.manager import default


@pytest.fixture(scope="module")
def report():
    return graphacct.account("gpt2-xl", attention="eager")


def line(explanation, quantity):
    return next(item for item in explanation.lines if item.quantity == quantity)


def test_a_linear_layer_shows_formula_values_and_result(report):
    """2 · batch · k · n, with 1,024 tokens, 1,600 in and 4,800 out, 48 times."""
    found = line(explain(report, "attn.c_attn"), "matmul_flops")
    assert found.formula == "2 · batch · k · n"
    assert found.substituted == "2 · 1,024 · 1,600 · 4,800"
    assert found.exact == found.value == 2 * 1024 * 1600 * 4800
    assert found.total == 48 * found.exact


def test_the_text_names_operator_convention_and_source(report):
    """The printed explanation has the operator's plugin, the convention's sentence and the docstring's source."""
    text = str(explain(report, "softmax"))
    assert text.startswith("transformer.h.*.attn.softmax of gpt2-xl: softmax")
    assert "graphacct-operators (graphacct" in text
    assert "vector_flops = 5 · batch · n = 5 · 25,600 · 1,024 = 131,072,000" in text
    assert "runs        48 times (transformer.h.* ×48)" in text
    assert "convention  exact: Everything counted" in text
    assert "5 per element: max, subtract, exp, sum, divide" in text


def test_a_tied_parameter_says_who_counts_it(report):
    """The head's parameters are 0 for a stated reason, not silently."""
    found = line(explain(report, "lm_head"), "params")
    assert found.exact == 0
    assert found.formula == "lm_head.weight is tied to transformer.wte.weight, which counts it"


def test_a_convention_that_leaves_work_out_is_shown():
    """Under `worksheet` an RMSNorm counts 2 of its 4 per element: the exact figure and the counted one both show."""
    report = graphacct.account("transformer-lm-xl", attention="eager", convention="worksheet")
    text = str(explain(report, "layers.*.ln1", "flops"))
    assert f"the convention counts {2 * 1024 * 1600:,} of it" in text
    assert f"in the whole model {48 * 2 * 1024 * 1600:,}" in text


def test_a_scope_is_the_sum_of_its_parts(report):
    """A scope's explanation adds up its children, which are named."""
    found = line(explain(report, "transformer.h.*.mlp"), "matmul_flops")
    assert found.formula == "c_fc + c_proj"
    assert found.total == 48 * (2 * 1024 * 1600 * 6400) * 2


def test_every_formula_gives_the_number_it_explains():
    """For each node of each architecture, the formula with the values put in is the cost: none is left unexplained."""
    from graphacct.hooks.manager import default

    for model in ("gpt2", "transformer-lm-small"):
        report = graphacct.account(model, batch=2, seq_len=24)
        for record in report.annotated.costs:
            found = formulas(default().operators[record.node.operator], record)
            exact = {name for name in found if getattr(record.cost, name)}
            assert exact == {
                name
                for name in (
                    "matmul_flops",
                    "vector_flops",
                    "transcendentals",
                    "read_bytes",
                    "write_bytes",
                    "activation_bytes",
                )
                if getattr(record.cost, name)
            }, record.node.name


@pytest.mark.parametrize(
    ("wanted", "path"),
    [
        ("transformer.h.*.attn.c_attn", "transformer.h.*.attn.c_attn"),
        ("transformer.h.17.attn.c_attn", "transformer.h.*.attn.c_attn"),
        ("c_attn", "transformer.h.*.attn.c_attn"),
        ("mlp.c_proj", "transformer.h.*.mlp.c_proj"),
        ("h.3.mlp", "transformer.h.*.mlp"),
    ],
)
def test_a_node_is_found_by_path_index_or_end(report, wanted, path):
    """A path, one with a layer's index, or an ending that only one node has."""
    assert resolve(report, wanted) == path


def test_what_is_ambiguous_or_unknown_is_said(report):
    """An ending that two nodes have lists both; a name that none has suggests the closest."""
    with pytest.raises(
        UnknownNameError, match=r"'c_proj' is the end of 2 paths of gpt2-xl: transformer.h.\*.attn.c_proj, "
    ):
        explain(report, "c_proj")
    with pytest.raises(UnknownNameError, match="unknown node 'lm_haed'; did you mean 'lm_head'"):
        explain(report, "lm_haed")
    with pytest.raises(UnknownNameError, match="unknown quantity 'flop'; did you mean 'flops'"):
        explain(report, "lm_head", "flop")


def test_an_index_that_no_repetition_has_is_unknown(report):
    """GPT-2 XL's layers are 0 to 47."""
    assert explain(report, "transformer.h.47.mlp.c_fc").node == "transformer.h.*.mlp.c_fc"
    for wanted in ("transformer.h.48.mlp.c_fc", "h.48.mlp", "transformer.h.48"):
        with pytest.raises(UnknownNameError, match=rf"gpt2-xl has no '{wanted}': .* is there 48 times"):
            explain(report, wanted)


def test_a_row_of_several_nodes_is_explained_as_their_sum():
    """Layer 0 is written out, layers 1 and 2 are a block: one row of the report, 3 · 2 elements."""
    b = graphacct.Builder("m", default().operators)
    x = b.apply("relu", b.input("x", (2,)), name="h.0.act")
    x = b.repeat("h", 2, lambda inner, carried: inner.apply("relu", carried, name="act"), x, start=1)
    found = graphacct.account(b.graph(x))
    unrolled = graphacct.account(b.graph(x).unroll())
    for path in ("h.0.act", "h.1.act", "h.2.act"):
        assert line(explain(unrolled, path), "flops").total == 2
    whole = line(explain(unrolled, "h.*.act"), "flops")
    assert (whole.formula, whole.substituted, whole.total) == ("h.0.act + h.1.act + h.2.act", "2 + 2 + 2", 6)
    assert line(explain(found, "h.0.act"), "flops").total == 2
    block = explain(found, "h.2.act")
    assert block.node == "h.*.act"
    assert block.times == "2 times (h.* ×2); the report's row h.*.act holds h.0.act too"
    with pytest.raises(UnknownNameError, match="is there 3 times"):
        explain(found, "h.3.act")


def test_a_layer_of_several_kinds_has_the_figures_of_its_row():
    """DeepSeek-V3 has three dense layers and 58 with experts in one row: asked for one of them, `explain` says so."""
    report = graphacct.account("deepseek-v3", seq_len=4)
    assert explain(report, "model.layers.3.mlp").times == (
        "61 times; the figures are of all of them, model.layers.3.mlp is one"
    )
    assert explain(report, "model.layers.*.mlp").times == "61 times"


def test_names_in_an_explanation_cannot_control_the_terminal() -> None:
    """`print(explain(...))` shows an escape sequence as text, and keeps its lines."""
    b = graphacct.Builder("model")
    x = b.input("x", (2, 3))
    graph = b.graph(b.apply("relu", x, name="red\x1b[31m\nnext"))
    text = str(graphacct.explain(graphacct.account(graph), "red\x1b[31m\nnext"))
    assert "\x1b" not in text
    assert text.startswith(r"red\x1b[31m\nnext of model: relu")
