"""Gradients that are added up: of values that several operands are, and of parameters that several nodes use."""

from collections import Counter

import attrs
import pytest
import strategies
from draws import examples
from hypothesis import given

import graphacct
from graphacct.errors import GraphError
from graphacct.graph.graph import Parameter
from graphacct.tensors import FLOATING
from graphacct.training.gradient_flow import node_gradients


def accumulation(graph, trained=lambda parameter: parameter.trainable):
    """The additions of gradients, by node; those without any left out."""
    found = {name: record.additions for name, record in node_gradients(graph, trained).items()}
    return {name: items for name, items in found.items() if items}


def additions(graph):
    """The FLOPs of values' additions, and of parameters'."""
    items = [item for found in accumulation(graph).values() for item in found]
    return tuple(sum(item.flops for item in items if item.weight is kind) for kind in (False, True))


def starts(graph):
    """The outputs that gradients start at: the first if it is a loss, a scalar, and otherwise all."""
    first = graph.outputs[:1]
    return first if first and first[0].spec.shape == () and first[0].spec.dtype in FLOATING else graph.outputs


def counted(graph):
    """The same of a graph without blocks, by counting operands of nodes that an output depends on."""
    live = {value.name for value in starts(graph)}
    for node in reversed(graph.nodes):
        if any(value.name in live and value.spec.dtype in FLOATING for value in node.outputs):
            live.update(operand.name for operand in node.values)
    needs, uses = {value.name: False for value in graph.inputs}, Counter()
    elements = {}
    for node in graph.nodes:
        flows = any(isinstance(operand, Parameter) or needs[operand.name] for operand in node.inputs)
        for value in node.outputs:
            needs[value.name] = flows and value.name in live and value.spec.dtype in FLOATING
        for operand in node.inputs if any(needs[value.name] for value in node.outputs) else ():
            weight = isinstance(operand, Parameter)
            if weight or needs[operand.name]:
                key = (weight, operand.tied_to or operand.name if weight else operand.name)
                uses[key] += 1
                elements[key] = operand.spec.elements
    uses.update((False, value.name) for value in dict.fromkeys(starts(graph)) if needs[value.name])
    elements |= {(False, value.name): value.spec.elements for value in graph.outputs}
    extra = {key: (count - 1) * elements[key] for key, count in uses.items()}
    return tuple(sum(flops for (weight, _), flops in extra.items() if weight is kind) for kind in (False, True))


def chain(uses, operator="relu"):
    """A trained value of 4 · 8 elements that so many nodes use."""
    builder = graphacct.Builder("m", workload={"phase": "train"})
    x = builder.input("x", (4, 8))
    y = builder.apply("linear", x, builder.parameter("weight", (8, 8)), name="fc")
    return builder, [builder.apply(operator, y, name=f"use_{index}") for index in range(uses)]


def test_a_value_used_by_three_nodes_is_added_twice():
    """2 additions for each of its 32 elements, at the node that makes it, which has no input gradient of its own:
    nothing before it is trained."""
    builder, results = chain(3)
    report = graphacct.account(builder.graph(*results))
    assert report["fc"].values["input_grad_flops"] == 2 * 32
    assert report["fc"].values["input_grad_matmul_flops"] == 0
    assert sum(report[f"use_{index}"].values["input_grad_flops"] for index in range(3)) == 3 * 32
    text = str(graphacct.explain(report, "fc", "input_grad_flops"))
    assert "the gradients of fc from its 3 uses, added up: 2 · elements = 2 · 32 = 64" in text


def test_a_value_used_once_or_never_is_not_added():
    """One gradient needs no addition, and neither does none."""
    for uses in 0, 1:
        builder, results = chain(uses)
        graph = builder.graph(*(results or [builder.apply("relu", builder.input("other", (2,)))]))
        assert accumulation(graph) == {}


def test_the_same_operand_twice_is_two_uses():
    """x + x: two gradients, one addition."""
    builder, _ = chain(0)
    y = builder.apply("linear", builder.input("z", (4, 8)), builder.parameter("other", (8, 8)), name="fc_2")
    assert additions(builder.graph(builder.apply("add", y, y))) == (32, 0)


def test_what_needs_no_gradient_is_not_added():
    """An input that three nodes use has no gradients to add; frozen weights none either."""
    builder = graphacct.Builder("m", workload={"phase": "train"})
    x = builder.input("x", (4, 8))
    weight = builder.parameter("weight", (8, 8))
    y = builder.apply("add", builder.apply("linear", x, weight), builder.apply("linear", x, weight))
    graph = builder.graph(y)
    assert additions(graph) == (0, 64)
    assert accumulation(graph, lambda parameter: False) == {}
    assert graphacct.account(graph, freeze=["weight"]).total["weight_grad_flops"] == 0


def test_a_tied_parameter_is_added_at_its_owner():
    """GPT-2's head and embedding share a table: one addition for each element of it, at the embedding."""
    tiny = {"n_layer": 3, "n_embd": 64, "n_head": 4, "vocab_size": 512, "n_positions": 32}
    report = graphacct.account("gpt2", phase="train", seq_len=16, set=tiny)
    assert report["transformer.wte"].values["weight_grad_flops"] == 16 * 64 + 512 * 64  # the scatter, and the sum
    assert report["transformer.wte"].values["weight_grad_matmul_flops"] == 0


def test_residual_streams_are_added():
    """GPT-2: the value that enters a layer is used by a norm and by an addition, and so is the one in its middle: 2 in
    each of 3 layers, 16 · 64 elements. What enters the first comes from outside, the last one's goes to one norm."""
    tiny = {"n_layer": 3, "n_embd": 64, "n_head": 4, "vocab_size": 512, "n_positions": 32, "embd_pdrop": 0.0}
    graph = graphacct.build("gpt2", phase="train", seq_len=16, set=tiny)
    found = {node: sum(item.flops for item in items) for node, items in accumulation(graph).items()}
    assert found == {
        "transformer.embed": 16 * 64,
        "transformer.h.*.attn_residual": 3 * 16 * 64,
        "transformer.h.*.mlp_residual": 2 * 16 * 64,
        "transformer.wte": 512 * 64,
    }


def test_contractions_are_untouched():
    """Additions are vector work: under `matmul` there are none."""
    builder, results = chain(3)
    report = graphacct.account(builder.graph(*results), convention="matmul")
    assert report["fc"].values["input_grad_flops"] == 0


@examples(30)
@given(strategies.graphs(repeats=9))
def test_any_graph_is_counted_as_written_out(graph):
    """Blocks with several carried values, constants, stacks and shared parameters: equal to counting operands on the
    graph written out, and so are all totals of a step."""
    assert additions(graph) == additions(graph.unroll()) == counted(graph.unroll())


def handed_on(outer, inner):
    """x, of 4 · 8 elements, enters layers; each adds it to what goes round in its steps, and hands on the result."""
    builder = graphacct.Builder("handed_on", workload={"phase": "train"})
    x = builder.input("x", (4, 8))
    x = builder.apply("linear", x, builder.parameter("weight", (8, 8)), name="fc")

    def step(b, y, same):
        return b.apply("add", y, same, name="add")

    def layer(b, y):
        return b.repeat("steps", inner, step, y, constants=[y])

    return builder.graph(builder.repeat("layers", outer, layer, x))


@pytest.mark.parametrize("outer", [1, 2, 9])
@pytest.mark.parametrize("inner", [1, 2, 9])
def test_a_value_that_one_step_makes_and_all_steps_of_the_next_layer_take(outer, inner):
    """What the last step of a layer makes goes round in the next layer's first step, and all its steps add it: it has
    inner + 1 uses, the result of the last layer has none. So has what enters the first."""
    found = {name: sum(item.flops for item in items) for name, items in accumulation(handed_on(outer, inner)).items()}
    later = {"layers.*.steps.*.add": (outer - 1) * inner * 32}
    assert found == {"fc": inner * 32} | (later if outer > 1 else {})


@pytest.mark.parametrize("times", [1, 2, 9])
@pytest.mark.parametrize("readers", [1, 2, 9])
def test_a_stack_that_all_later_repetitions_take(times, readers):
    """Every h but the last one goes round and is stacked up, so that its 32 elements are added once; the last is
    stacked alone. Every later repetition takes the stack, of times · 32 elements: readers - 1 additions, at the last
    node of the body that makes it. Its weight is one for each repetition, the readers' is shared: readers - 1."""
    builder = graphacct.Builder("stacked", workload={"phase": "train"})
    h = builder.apply("linear", builder.input("x", (4, 8)), builder.parameter("weight", (8, 8)), name="fc")

    def make(b, h):
        h = b.apply("linear", h, b.parameter("weight", (8, 8)), name="make")
        return h, h

    _, stack = builder.repeat("makers", times, make, h)
    start = builder.apply("constant", shape=(times, 4, 8), name="start")
    shared = Parameter("gain", graphacct.TensorSpec((8,)))

    def take(b, y, stack):
        return b.apply("rms_norm", b.apply("add", y, stack, name="add"), shared, name="norm")

    graph = builder.graph(builder.repeat("takers", readers, take, start, constants=[stack]))
    items = [item for found in accumulation(graph).values() for item in found]
    assert sum(item.flops for item in items if not item.weight) == (times - 1) * 32 + (readers - 1) * times * 32
    assert sum(item.flops for item in items if item.weight) == (readers - 1) * 8
    assert additions(graph) == additions(graph.unroll()) == counted(graph.unroll())


def test_alike_repetitions_are_one_record():
    """Of 12 layers the first 11 hand on what two take, the last what one does: one addition, 11 times."""
    tiny = {"n_layer": 12, "n_embd": 64, "n_head": 4, "vocab_size": 512, "n_positions": 32}
    graph = graphacct.build("gpt2", phase="train", seq_len=16, set=tiny)
    [item] = accumulation(graph)["transformer.h.*.mlp_residual"]
    assert (item.uses, item.count, item.times) == (2, 1, 11)


def swapped(times, uses=1):
    builder = graphacct.Builder("swapped", workload={"phase": "train"})
    x = builder.apply("linear", builder.input("x", (2, 3)), builder.parameter("weight", (3, 3)), name="fc")
    y = builder.apply("gelu", x, name="other")

    def body(b, left, right):
        for index in range(uses):
            b.apply("relu", left, name=f"act_{index}")
        return right, left

    return builder.graph(*builder.repeat("h", times, body, x, y))


@pytest.mark.parametrize("times", [1, 2, 3, 4, 5, 8, 13])
def test_values_that_change_places_are_followed(times):
    """Two carried values that only change places: each is used in every other repetition."""
    graph = swapped(times)
    assert additions(graph) == counted(graph.unroll())


def test_a_symbolic_depth_is_a_formula():
    """A model of L layers: what it comes to at 3 and at 9 is what those have; values that change places have none."""
    sympy = pytest.importorskip("sympy")
    depth = sympy.Symbol("L", integer=True, positive=True)
    sizes = {"n_embd": 64, "n_head": 4, "vocab_size": 512, "n_positions": 32}

    def total(layers):
        return sum(additions(graphacct.build("gpt2", phase="train", seq_len=16, set={**sizes, "n_layer": layers})))

    formula = sympy.sympify(total(depth))
    for layers in 3, 9:
        assert formula.subs(depth, layers) == total(layers)
    formula = sympy.sympify(sum(additions(handed_on(depth, 2 * depth))))
    for layers in 3, 9:
        assert formula.subs(depth, layers) == sum(additions(handed_on(layers, 2 * layers)))
    with pytest.raises(GraphError, match=r"block 'h\.\*' .* differ by turns, 2 in a row: .* L times, give a number"):
        additions(swapped(depth))


def test_a_step_is_the_same_written_out():
    """With frozen embeddings the first layer's additions are fewer."""
    tiny = {"n_layer": 5, "n_embd": 64, "n_head": 4, "vocab_size": 512, "n_positions": 32}
    graph = graphacct.build("gpt2", phase="train", seq_len=16, set=tiny)
    for freeze in [], ["transformer.w?e.*"]:
        folded, flat = (graphacct.account(form, freeze=freeze) for form in (graph, graph.unroll()))
        assert folded.total == flat.total
        rows = {row.path: row.values["input_grad_flops"] for row in folded.by_scope}
        assert rows == {row.path: row.values["input_grad_flops"] for row in flat.by_scope}
    assert attrs.asdict(accumulation(graph)["transformer.wte"][0])["uses"] == 2
