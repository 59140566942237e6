"""Products: what torch's counter sees, and attention on a CPU, which it does not."""

from __future__ import annotations

from graphacct_torch.calls import CallRecord
from graphacct_torch.mapping.mapped import Arguments, Mapped, given


def product(call: CallRecord, a: Arguments) -> Mapped:
    return Mapped("matmul", (a["self"], a["mat2"]))


def sum_and_product(call: CallRecord, a: Arguments) -> Mapped:
    """beta c + alpha x y; with a vector c and no factors it is a linear layer."""
    factors = {name: a[name] for name in ("beta", "alpha") if a[name] != 1}
    x, y = (a["mat1"], a["mat2"]) if "mat1" in a else (a["batch1"], a["batch2"])
    if not factors and len(a["self"].shape) == 1 and len(y.shape) == 2 and a["self"].shape[0] == y.shape[1]:
        return Mapped("linear_in_out", (x, y, a["self"]))
    return Mapped("matmul_add", (a["self"], x, y), factors)


def _plus(call: CallRecord, a: Arguments, product: Mapped) -> Mapped:
    """c + a product, each times its factor."""
    c = a["self"] if a["beta"] == 1 else Mapped("scale", (a["self"],))
    return Mapped("add", (c, product if a["alpha"] == 1 else Mapped("scale", (product,))))


def sum_of_products(call: CallRecord, a: Arguments) -> Mapped:
    """beta c + alpha times the sum of a batch of products."""
    products = Mapped("matmul", (a["batch1"], a["batch2"]))
    return _plus(call, a, Mapped("sum", (products,), {"dim": (0,), "keepdim": False}))


def attention(call: CallRecord, a: Arguments) -> Mapped:
    """The kernel of scaled_dot_product_attention on a CPU; its second result, the logsumexp, stays inside."""
    settings = {"causal": bool(a["is_causal"]), "dropout_p": a["dropout_p"], "scale": a["scale"]}
    return Mapped("scaled_dot_product_attention", given(a["query"], a["key"], a["value"], a["attn_mask"]), settings)


def convolution(call: CallRecord, a: Arguments) -> Mapped:
    rank = len(a["weight"].shape) - 2
    names = ("stride", "padding", "dilation", "output_padding")
    each = {name: tuple(a[name]) * (rank if len(a[name]) == 1 else 1) for name in names}  # one may stand for all
    output_padding = each.pop("output_padding")
    settings = each | {"groups": a["groups"]}
    operands = given(a["input"], a["weight"], a["bias"])
    if a["transposed"]:
        return Mapped("convolution_transposed", operands, settings | {"output_padding": output_padding})
    return Mapped("convolution", operands, settings)


def of_groups(call: CallRecord, a: Arguments) -> Mapped:
    """Rows in groups, each times the matrix of its group. Where there are no groups it is a product of stacks."""
    if a["offs"] is None:
        return Mapped("matmul", (a["self"], a["mat2"]))
    ranks = len(a["self"].shape), len(a["mat2"].shape)
    operator = {(2, 3): "grouped_linear_in_out", (3, 2): "grouped_columns", (2, 2): "grouped_products"}[ranks]
    return Mapped(operator, (a["self"], a["mat2"], a["offs"]))


NN_BILINEAR = ([1, 3], [0], [1, 2], [2, 3])


def pairs_of_features(call: CallRecord, a: Arguments) -> Mapped:
    """`_trilinear`: as nn.Bilinear calls it x W y for each output, and otherwise a product of three tensors that is
    summed over some dimensions, in which each lacks others."""
    how = tuple(list(a[name]) for name in ("expand1", "expand2", "expand3", "sumdim"))
    if how == NN_BILINEAR:
        return Mapped("bilinear", (a["i1"], a["i3"], a["i2"]))
    *lacking, summed = how
    tensors = (a["i1"], a["i2"], a["i3"])
    letters = "abcdefghijklmnopqrstuvwxyz"[: len(tensors[0].shape) + len(lacking[0])]
    terms = [
        "".join(letter for dim, letter in enumerate(letters) if dim not in [axis % len(letters) for axis in lacks])
        for lacks in lacking
    ]
    made = "".join(letter for dim, letter in enumerate(letters) if dim not in [axis % len(letters) for axis in summed])
    return Mapped("einsum", tensors, {"equation": f"{','.join(terms)}->{made}"})


def lstm_layer(call: CallRecord, a: Arguments) -> Mapped:
    """One layer of an LSTM in one direction, with the states that it starts from."""
    weights = [a[f"weight{index}"] for index in range(4 if a["has_biases"] else 2)]
    states = [Mapped("reshape", (a[name],), {"shape": (1, *a[name].shape[-2:])}) for name in ("hx_", "cx_")]
    settings = {"initial_states": True, "states": True}
    return Mapped("lstm", (a["input"], *states, *weights), settings, (0, 1, 2), viewed=True)


def sum_and_vector_product(call: CallRecord, a: Arguments) -> Mapped:
    """`addmv`, `addr`: a vector or a matrix, and a product of vectors."""
    product = Mapped("mv", (a["mat"], a["vec"])) if "mat" in a else Mapped("outer", (a["vec1"], a["vec2"]))
    first = a["self"] if a["beta"] == 1 else Mapped("scale", (a["self"],))
    return Mapped("add", (first, product if a["alpha"] == 1 else Mapped("scale", (product,))))
