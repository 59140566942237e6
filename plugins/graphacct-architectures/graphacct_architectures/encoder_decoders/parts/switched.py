"""Experts behind a router that sends each token to its best one, with room for so many tokens of a sequence in each.

Fedus et al., 2021 (arXiv:2101.03961). How many tokens find room depends on the data: here every expert is chosen as
often as any other, so that tokens are left out only where all experts together have too little room.
"""

from __future__ import annotations

from graphacct import Builder, Dim, Value, Workload, equal, exact_div, frozen, minimum
from graphacct_architectures.layers import activation, dropped, linear, resident


@frozen
class Switched:
    """A network of experts, one for each token.

    Attributes:
        count: The number of experts.
        width: Width of an expert's hidden layer.
        activation: Its operator, or several separated by spaces.
        capacity: How many tokens of a sequence an expert takes; those beyond are zeros.
        router_dtype: The dtype that the router runs and is stored in.
        router_bias: Whether it has a bias.
        jitter: By how much of itself the router's input may be more or less, in training.
        dropout: The probability with which the hidden layer is dropped in training.
        module: The module's name.
    """

    count: int
    width: Dim
    activation: str
    capacity: Dim
    router_dtype: str = "float32"
    router_bias: bool = False
    jitter: float = 0.0
    dropout: float = 0.0
    module: str = "mlp"


def switched(s: Switched, workload: Workload, b: Builder, x: Value) -> Value:
    """Returns the output of each token's expert, times its share; the builder is in the module's scope."""
    batch, seq, width = x.spec.shape
    tokens = batch * seq
    b.hold(x)
    ids, shares = routed(s, workload, b, x)
    rows = b.apply("reshape", x, name="tokens", shape=(tokens, width))
    ids = b.apply("reshape", ids, name="ids", shape=(tokens,))
    shares = b.apply("reshape", shares, name="shares", shape=(tokens, 1))
    taken = batch * minimum(seq, s.count * s.capacity)
    if not equal(taken, tokens):  # the others find no room
        ids = b.apply("slice", ids, name="ids_with_room", dim=0, start=0, length=taken)
    b.hold(rows, ids, shares)
    with b.scope("experts"):
        y = b.apply("full", name="zeros", shape=(tokens, width), dtype=b.dtype)
        order, *_ = b.apply("by_expert", ids, name="by_expert", experts=s.count)
        start: Dim = 0
        for index, count in enumerate(rows_of_each(taken, s.count)):
            with b.scope(f"expert_{index}"):
                if equal(count, 0):  # an expert that no token chooses does not run
                    resident(b, "wi", b.parameter("wi.weight", (s.width, width)))
                    resident(b, "wo", b.parameter("wo.weight", (width, s.width)))
                    continue
                own = b.apply("slice", order, name="places", dim=0, start=start, length=count)
                x = linear(b, "wi", b.apply("index_select", rows, own, name="rows"), s.width, bias=False)
                x = dropped(b, "dropout", activation(b, s.activation, x, "act"), s.dropout, workload)
                x = linear(b, "wo", x, width, bias=False)
                x = b.apply("mul", x, b.apply("index_select", shares, own, name="shares"), name="weighted")
                y = b.apply("index_add", y, own, x, name="outputs", in_place=True)
            start = start + count
    return b.apply("reshape", y, name="sequences", shape=(batch, seq, width))


def routed(s: Switched, workload: Workload, b: Builder, x: Value) -> tuple[Value, Value]:
    """Returns each token's expert (batch, seq) and the router's share for it (batch, seq, 1). The library multiplies
    its input by the jitter in place, which is a product of its own here."""
    with b.scope("router"):
        x = b.apply("cast", x, name="tokens_as_routed", dtype=s.router_dtype)
        if s.jitter and workload.phase == "train":
            noise = b.apply("random", name="jitter", shape=x.spec.shape, dtype=s.router_dtype)
            x = b.apply("mul", x, noise, name="jittered")
        weight = b.parameter("classifier.weight", (s.count, x.spec.shape[-1]), s.router_dtype)
        rest = (b.parameter("classifier.bias", (s.count,), s.router_dtype),) if s.router_bias else ()
        x = b.apply("softmax", b.apply("linear", x, weight, *rest, name="classifier"), name="probabilities")
        x = b.apply("cast", x, name="probabilities_as_computed", dtype=b.dtype)
        ids = b.apply("argmax", x, name="expert_index", dim=-1)
        chosen = b.apply("one_hot", ids, name="chosen", classes=s.count)
        b.apply("cumsum", chosen, name="places", dim=-2)
        return ids, b.apply("amax", x, name="share", dim=-1, keepdim=True)


def rows_of_each(rows: Dim, experts: int) -> list[Dim]:
    """Returns how many rows each expert has: as many as any other, and the first ones of the rest one more."""
    if type(rows) is not int:
        return [exact_div(rows, experts, "tokens / num_experts")] * experts
    return [rows // experts + (index < rows % experts) for index in range(experts)]
