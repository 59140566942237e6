"""The attention core is found by its structure: what selective recomputation runs again."""

from __future__ import annotations

from typing import Any

import pytest

import graphacct
from graphacct.errors import ConfigError, SignatureError
from graphacct.graph.attention_core import attention_core
from graphacct.graph.paths import pattern
from graphacct.hooks.manager import default
from graphacct.training.recompute import SELECTIVE, recompute_plan

OPERATORS = default().operators
CORES = {
    ("gpt2", "eager"): {"scores", "scale", "mask", "softmax", "softmax_cast", "attn_dropout", "values"},
    ("gpt2", "fused"): {"sdpa"},
    ("transformer-lm", "eager"): {"mask", "scores", "scale", "masked", "softmax", "values"},
    ("transformer-lm", "fused"): {"sdpa"},
}


@pytest.mark.parametrize(("model", "attention"), CORES)
def test_the_core_of_each_architecture(model: str, attention: str) -> None:
    """Scores, what is done to them, and values; with the mask that a layer makes for itself. Folded and written out."""
    graph = graphacct.build(model, phase="train", attention=attention, seq_len=8, set={"n_layer": 2})
    layer = {"gpt2": "transformer.h", "transformer-lm": "layers"}[model]
    names = CORES[model, attention]
    assert attention_core(graph, OPERATORS) == {f"{layer}.*.attn.{name}" for name in names}
    flat = {f"{layer}.{index}.attn.{name}" for name in names for index in range(2)}
    assert attention_core(graph.unroll(), OPERATORS) == flat


@pytest.mark.parametrize(("model", "attention"), [("deepseek-v2", "eager"), ("flan-t5-base", "fused")])
def test_a_core_lies_within_a_repetition_written_out_too(model: str, attention: str) -> None:
    """No core goes from one layer into the next: not from the values of attention through a router's softmax to the
    scores of the layer after it, and biases that a layer hands on to the others are not its core's alone."""
    graph = graphacct.build(model, phase="train", attention=attention, seq_len=8)
    flat = {pattern(name) for name in attention_core(graph.unroll(), OPERATORS)}
    assert flat == {pattern(name) for name in attention_core(graph, OPERATORS)}


def core_of(*steps: tuple[Any, ...]) -> frozenset[str]:
    """The core of a graph of these steps: a name, an operator and the names of its operands, then attributes.

    q, k and v are values of (2, 6, 4); W is a (4, 4) parameter, M one of (6, 6).
    """
    builder = graphacct.Builder("model", OPERATORS)
    known: dict[str, Any] = {name: builder.input(name, (2, 6, 4)) for name in "qkv"}
    known |= {"W": builder.parameter("W", (4, 4)), "M": builder.parameter("M", (6, 6))}
    for name, operator, operands, *attributes in steps:
        chosen = [known[operand] for operand in operands.split()]
        known[name] = builder.apply(operator, *chosen, name=name, **dict(*attributes))
    return attention_core(builder.graph(known[steps[-1][0]]), OPERATORS)


KT = ("kt", "transpose", "k", {"dims": (-2, -1)})


def test_any_names_and_any_way_of_writing_it() -> None:
    """Names say nothing; a product may be an einsum, and a learned bias is on the way."""
    chain = [("a", "matmul", "q kt"), ("b", "add", "a M"), ("c", "softmax", "b"), ("d", "scale", "c")]
    assert core_of(KT, *chain, ("e", "matmul", "d v"), ("f", "linear", "e W")) == {"a", "b", "c", "d", "e"}
    first = ("a", "einsum", "q k", {"equation": "b s d, b t d -> b s t"})
    last = ("e", "einsum", "c v", {"equation": "b s t, b t d -> b s d"})
    assert core_of(first, ("c", "softmax", "a"), last) == {"a", "c", "e"}


def test_a_softmax_is_not_enough() -> None:
    """A router's softmax comes from a product with a parameter, a vocabulary's goes to none."""
    assert not core_of(("a", "linear", "q W"), ("b", "softmax", "a"), ("c", "mul", "b v"))
    assert not core_of(KT, ("a", "matmul", "q kt"), ("b", "softmax", "a"))
    between = [("a", "matmul", "q kt"), ("m", "matmul", "a M"), ("b", "softmax", "m"), ("c", "matmul", "b v")]
    assert not core_of(KT, *between), "a product with a parameter ends a path"


def test_products_alone_are_no_attention() -> None:
    """Two products without weights in between (linear attention) keep no more than their operands."""
    assert not core_of(KT, ("a", "matmul", "kt v"), ("b", "matmul", "q a"))


def test_what_else_the_core_feeds_stays() -> None:
    """The weights may go elsewhere too, and what comes from outside of a core is none of it."""
    steps = [("a", "matmul", "q kt"), ("g", "gelu", "a"), ("b", "softmax", "a"), ("c", "matmul", "b v")]
    assert core_of(KT, *steps, ("h", "gelu", "b"), ("s", "sum", "h")) == {"a", "b", "c"}


def test_a_mask_that_others_use_is_not_made_again() -> None:
    """What is made of nothing belongs to a core that alone uses it."""
    mask = ("m", "causal_mask", "", {"seq": 6, "dtype": "bool"})
    chain = [("a", "matmul", "q kt"), ("b", "masked_fill", "a m"), ("c", "softmax", "b"), ("d", "matmul", "c v")]
    assert core_of(KT, mask, *chain) == {"m", "a", "b", "c", "d"}
    assert core_of(KT, mask, *chain, ("n", "transpose", "m", {"dims": (0, 1)})) == {"a", "b", "c", "d"}


def test_a_plugins_operator_says_its_part() -> None:
    """A softmax by another name is found by what it declares; a part that is none is refused at the definition."""

    @graphacct.operator("x: ... n -> ... n", attention="weights")
    def sparsemax(batch: Any, n: Any) -> graphacct.Work:
        """The projection onto the simplex. 3 per element: sort aside, subtract, compare, clamp."""
        return graphacct.Work(vector_flops=3 * batch * n)

    operators = {**OPERATORS, "sparsemax": sparsemax}
    builder = graphacct.Builder("model", operators)
    q, k = builder.input("q", (2, 6, 6)), builder.input("k", (2, 6, 6))
    y = builder.apply("sparsemax", builder.apply("matmul", q, k, name="a"), name="b")
    graph = builder.graph(builder.apply("matmul", y, q, name="c"))
    assert recompute_plan(graph, SELECTIVE, operators).recompute == {"a", "b", "c"}
    with pytest.raises(SignatureError, match="an operator's part in attention is 'weights' or 'whole', not 'softmax'"):
        graphacct.operator("x: ... -> ...", attention="softmax")


def test_a_model_without_attention_has_no_core() -> None:
    """Asking for it is an error that says what was looked for, and the way out."""
    builder = graphacct.Builder("mlp", OPERATORS, workload={"phase": "train"})
    graph = builder.graph(
        builder.apply("linear", builder.input("x", (3, 4)), builder.parameter("w", (5, 4)), name="fc")
    )
    message = (
        r"recompute selective runs the attention core again, and 'mlp' has "
        r"none \(a product of two activations, a softmax and another such product, or fused attention\): give a glob "
        "of nodes"
    )
    with pytest.raises(ConfigError, match=message):
        graphacct.account(graph, recompute="selective")
