"""Where gradients arrive: what no output depends on that they start at has none, as in torch."""

import pytest

import graphacct
from graphacct import Builder


def branch():
    """x (3, 8) -> a (3, 8) -> out (3, 8), with a branch from a that nothing reads."""
    b = Builder("branch")
    a = b.apply("linear", b.input("x", (3, 8)), b.parameter("w", (8, 8)), name="a")
    b.apply("linear", a, b.parameter("unread.weight", (8, 8)), name="unread")
    return b.graph(b.apply("relu", a, name="out"))


def test_a_branch_that_nothing_reads_has_no_gradient():
    """Two products of 2 * 3 * 8 * 8 = 384 forward, and only the first one's weight gradient: x needs none, and nothing
    flows back through the branch. torch's counter says 1,152 for the step."""
    report = graphacct.account(branch(), phase="train", convention="matmul")
    assert report.total["matmul_flops"] == 768
    assert report.total["step_matmul_flops"] == 768 + 384
    text = str(graphacct.explain(report, "unread"))
    assert "x: no gradient, no gradient reaches the result" in text
    assert "weight: no gradient, no gradient reaches the result" in text


def test_a_loss_beside_other_outputs_is_where_gradients_start():
    """outputs (loss, other): other has a product of its own, 2 * 3 * 8 * 5 = 240, which is run forward alone."""
    b = Builder("two")
    x = b.input("x", (3, 8))
    other = b.apply("linear", x, b.parameter("other.weight", (5, 8)), name="other")
    loss = b.apply("sum", b.apply("linear", x, b.parameter("w", (8, 8)), name="a"), name="loss")
    report = graphacct.account(b.graph(loss, other), phase="train", convention="matmul")
    assert report.workload["loss"] == "first output"
    assert report.total["step_matmul_flops"] == (384 + 384) + 240
    assert report["other"].values["weight_grad_matmul_flops"] == 0


def test_an_integer_scalar_is_no_loss():
    """A first output that can carry no gradient, such as a count, does not keep the others from having theirs."""
    b = Builder("count")
    x = b.input("x", (3, 8))
    y = b.apply("linear", x, b.parameter("w", (8, 8)), name="a")
    count = b.apply("sum", b.input("ids", (3,), "int64"), name="count")
    graph = b.graph(count, y)
    report = graphacct.account(graph, phase="train", convention="matmul")
    assert report.workload["loss"] == "sum of outputs"
    assert report.total["step_matmul_flops"] == 384 + 384
    assert graphacct.memory(graph).backward_peak > 0


def layers(repeat):
    """Layers that hand on x and y: y is made of x. Only x leaves the last layer, so its y is for nobody."""
    b = Builder("layers")
    x = b.input("x", (3, 8))

    def layer(inner, x, y):
        read = inner.apply("add", x, y, name="read")
        made = inner.apply("linear", x, inner.parameter("w", (8, 8)), name="fc")
        return read, made

    x, _ = b.repeat("h", repeat, layer, x, x)
    return b.graph(b.apply("relu", x, name="out"))


@pytest.mark.parametrize("repeat", [1, 2, 7, 40])
def test_the_last_layer_may_have_what_nothing_reads(repeat):
    """All products run forward, 384 each. The last layer's has no gradient. The others have their weight's, and their
    input's but in the first two layers, which read the model's input. So it is in the graph written out."""
    graph = layers(repeat)
    report = graphacct.account(graph, phase="train", convention="matmul")
    gradients = (repeat - 1) + max(0, repeat - 3)
    assert report.total["step_matmul_flops"] == 384 * (repeat + gradients)
    whole, out = (graphacct.account(item, phase="train").total for item in (graph, graph.unroll()))
    assert whole == out


def test_an_output_that_other_nodes_use_gets_one_gradient_more():
    """a (3, 5) is an output, and so are its sum and its mean: its gradient is ones, and those of both, added up by 2
    additions for each of 15 elements. Their order decides nothing as long as the first is no loss."""
    b = Builder("three")
    a = b.apply("linear", b.input("x", (3, 4)), b.parameter("w", (5, 4)), name="a")
    parts = [b.apply(name, a, name=name) for name in ("sum", "mean")]
    graph = b.graph(a, *parts)
    report = graphacct.account(graph, phase="train")
    assert report["a"].values["input_grad_flops"] == 2 * 15
    text = str(graphacct.explain(report, "a", "input_grad_flops"))
    assert "the gradients of a from its 3 uses, added up: 2 · elements = 2 · 15 = 30" in text
