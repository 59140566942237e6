"""Products beside linear layers: several operands in an einsum, sums, vectors, bilinear forms; systems and
distances."""

import graphacct_operators
import pytest

from graphacct import Builder, GraphacctError, Node, TensorSpec, Value, Work, account
from graphacct.operators.saves import saved_tensors
from graphacct.training.gradients import gradient_work

OPERATORS = {op.name: op.load() for op in graphacct_operators.graphacct_register_operators()}
THREE = [TensorSpec((2, 8, 4)), TensorSpec((2, 8, 5)), TensorSpec((4, 5, 6))]
EQUATION = {"equation": "bsi,bsj,ijk->bsk"}


def f(*shape):
    return TensorSpec(shape)


def cost(name, *operands, **attributes):
    found = OPERATORS[name].apply(operands, attributes).cost
    return found.matmul_flops, found.vector_flops, found.transcendentals


def gradient(name, operands, wanted, **attributes):
    values = tuple(Value(f"v{place}", spec) for place, spec in enumerate(operands))
    out = Value("out", OPERATORS[name].apply(operands, attributes).outputs[0])
    flags = [place in wanted for place in range(len(values))]
    return gradient_work(OPERATORS[name], Node("n", name, values, (out,), attributes), flags).input_grad


def test_three_operands_from_left_to_right():
    """bsi,bsj contracts nothing: 2 · 8 · 4 · 5 = 320 products; bsij,ijk: 2 · 2 · 8 · 4 · 5 · 6 = 3,840 FLOPs. torch
    runs the same, aten.mul and aten.bmm."""
    assert cost("einsum", *THREE, **EQUATION) == (3840, 320, 0)
    assert OPERATORS["einsum"].apply(THREE, EQUATION).outputs == (f(2, 8, 6),)


def test_a_path_states_another_order():
    """a with c first: 2 · 2 · 8 · 4 · 5 · 6 = 3,840; then bsjk with b: 2 · 2 · 8 · 5 · 6 = 960."""
    assert cost("einsum", *THREE, **EQUATION, path=((0, 2), (0, 1))) == (4800, 0, 0)


def test_a_label_goes_as_soon_as_nothing_later_has_it():
    """A chain of matrices, 2 × 3 × 5 × 7 × 11: 2 · (2·3·5 + 2·5·7 + 2·7·11)."""
    chain = [f(2, 3), f(3, 5), f(5, 7), f(7, 11)]
    assert cost("einsum", *chain, equation="ab,bc,cd,de->ae") == (2 * (30 + 70 + 154), 0, 0)
    right = ((2, 3), (1, 2), (0, 1))  # from the right: 5·7·11, 3·5·11, 2·3·11
    assert cost("einsum", *chain, equation="ab,bc,cd,de->ae", path=right) == (2 * (385 + 165 + 66), 0, 0)


@pytest.mark.parametrize("equation", ["...sd,...td->...st", "... s d, ... t d -> ... s t"])
def test_dimensions_that_an_equation_leaves_open(equation):
    """Heads in front are labels like others: 2 · 2 · 4 · 3 · 5 · 7; one operand may have fewer of them."""
    operands = (f(2, 4, 3, 7), f(2, 4, 5, 7))
    assert cost("einsum", *operands, equation=equation) == (2 * 8 * 3 * 5 * 7, 0, 0)
    assert OPERATORS["einsum"].apply(operands, {"equation": equation}).outputs == (f(2, 4, 3, 5),)
    assert cost("einsum", f(2, 4, 3, 7), f(4, 5, 7), equation=equation) == (2 * 8 * 3 * 5 * 7, 0, 0)
    assert gradient("einsum", operands, {0}, equation=equation) == Work(2 * 8 * 3 * 5 * 7)


def test_gradients_of_several_operands():
    """x alone: through the last product, 3,840, then 320 times y and 320 for the sum over j. All: the last product's
    gradient for the first one once, 3,840, and 3,840 for c; 640 each for a and b."""
    assert gradient("einsum", THREE, {0}, **EQUATION) == Work(3840, 640)
    assert gradient("einsum", THREE, {2}, **EQUATION) == Work(3840, 0)
    assert gradient("einsum", THREE, {0, 1, 2}, **EQUATION) == Work(2 * 3840, 4 * 320)


def test_profiles_run_two_at_a_time():
    """torch keeps a, b, c and their first product, 4 · 320 bytes beside the inputs (measured with torch 2.13): here a
    and b are made from inputs, and c is a parameter."""
    b = Builder("net")
    x = b.apply("add", b.input("x", (2, 8, 4)), b.parameter("p", (4,)))
    y = b.apply("add", b.input("y", (2, 8, 5)), b.parameter("q", (5,)))
    out = b.apply("einsum", x, y, b.parameter("w", (4, 5, 6)), **EQUATION)
    total = account(b.graph(b.apply("sum", out)), phase="train").total
    assert total["saved_bytes"] == 4 * (2 * 8 * 4 + 2 * 8 * 5 + 2 * 8 * 4 * 5)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [("x", "y others"), ("y", "x others"), ("others", "products"), ("x y others", "x y others products")],
)
def test_what_several_operands_keep(wanted, expected):
    """Measured with torch 2.13: what the gradients of the wanted ones multiply by."""
    kept = saved_tensors(OPERATORS["einsum"], THREE, EQUATION, wanted.split())
    assert sorted(item.name for item in kept) == sorted(expected.split())
    assert [item.spec.shape for item in kept if item.name == "products"] in ([], [(2, 8, 4, 5)])


def test_a_product_with_something_added():
    """2 · 2 · 3 · 4 · 5 = 240; 30 sums, and 30 each for beta and alpha."""
    operands = (f(5), f(2, 3, 4), f(2, 4, 5))
    assert cost("matmul_add", *operands) == (240, 30, 0)
    assert cost("matmul_add", *operands, beta=0.5, alpha=2) == (240, 90, 0)
    assert gradient("matmul_add", operands, {0}) == Work(vector_flops=30)
    assert gradient("matmul_add", operands, {0}, beta=0.5) == Work(vector_flops=60)
    assert gradient("matmul_add", operands, {1, 2}, alpha=2) == Work(480, 24 + 40)
    assert gradient("matmul_add", (f(3, 5), f(3, 4), f(4, 5)), {0}) == Work()


@pytest.mark.parametrize(("name", "kept"), [("matmul_add", 2 * (12 + 20)), ("cdist", 4 * (12 + 20 + 15))])
def test_autocast_casts_what_torch_lists(name, kept):
    """Products run in bfloat16 and keep its copies, distances in float32 (ATen/autocast_mode.h, torch 2.13)."""
    b = Builder("net")
    x = b.apply("add", b.input("x", (3, 4)), b.parameter("p", (4,)))
    y = b.apply("add", b.input("y", (4, 5) if name == "matmul_add" else (5, 4)), b.parameter("q", (1,)))
    c = [b.apply("add", b.input("c", (3, 5)), b.parameter("r", (1,)))] if name == "matmul_add" else []
    graph = b.graph(b.apply("sum", b.apply(name, *c, x, y)))
    assert account(graph, phase="train", profile="torch-autocast-cuda").total["saved_bytes"] == kept


def test_vectors():
    """torch's matrix gradient of mv is an outer product (aten.mul), the vector's a second mv; dot's are products."""
    assert cost("mv", f(3, 4), f(4)) == (24, 0, 0)
    assert gradient("mv", (f(3, 4), f(4)), {0}) == Work(vector_flops=12)
    assert gradient("mv", (f(3, 4), f(4)), {1}) == Work(24)
    assert cost("dot", f(4), f(4)) == (8, 0, 0)
    assert gradient("dot", (f(4), f(4)), {0, 1}) == Work(vector_flops=8)
    assert cost("outer", f(3), f(4)) == (0, 12, 0)
    assert gradient("outer", (f(3), f(4)), {0}) == Work(vector_flops=24)


def test_a_bilinear_layer():
    """2 · 4 · 5 · 6 · 7 + 2 · 4 · 5 · 7 = 1,960 in two contractions, 20 for the bias."""
    operands = (f(4, 6), f(4, 7), f(5, 6, 7), f(5))
    assert cost("bilinear", *operands) == (1960, 20, 0)
    assert gradient("bilinear", operands, {0}) == Work(1680 + 2 * 4 * 5 * 6)
    assert gradient("bilinear", operands, {1}) == Work(1680 + 2 * 4 * 5 * 7)
    assert gradient("bilinear", operands, {2}) == Work(1680, 4 * 5 * 6)
    assert gradient("bilinear", operands, {3}) == Work(vector_flops=20)


def test_weight_norm():
    """360 elements in 6 rows: 3 · 360 + 2 · 6, a root per row; backward 6 · 360 + 4 · 6 for v, 6 for g beside it."""
    operands = (f(6, 20, 3), f(6, 1, 1))
    assert cost("weight_norm", *operands) == (0, 1092, 6)
    assert gradient("weight_norm", operands, {0, 1}) == Work(vector_flops=6 * 360 + 4 * 6 + 6)
    assert gradient("weight_norm", operands, {1}) == Work(vector_flops=2 * 360 + 2 * 6)


def test_triangular_and_general_systems():
    """4 unknowns, 2 columns: 6 multiply-adds and 4 divisions a column. The factors of 4 × 4 take 9 + 4 + 1 = 14
    multiply-adds and 3 + 2 + 1 = 6 divisions, Cholesky's 10 and 6, and 4 roots."""
    a, b = f(4, 4), f(4, 2)
    assert cost("solve_triangular", a, b) == (2 * 6 * 2, 8, 0)
    assert cost("solve_triangular", a, b, unitriangular=True) == (24, 0, 0)
    assert cost("solve_triangular", a, f(2, 4), left=False) == (24, 8, 0)
    assert cost("solve", a, b) == (2 * 14 + 2 * 24, 6 + 8, 0)
    assert cost("inv", f(3, 4, 4)) == (3 * (2 * 14 + 2 * 48), 3 * (6 + 16), 0)
    assert cost("cholesky", a) == (2 * 10, 6 + 4, 4)


def test_gradients_of_systems():
    """b's is solved again; a's is the product of that and the solution, 2 · 4² · 2, negated, and needs b's."""
    operands = (f(4, 4), f(4, 2))
    assert gradient("solve_triangular", operands, {1}) == Work(24, 8)
    assert gradient("solve_triangular", operands, {0}) == Work(64 + 24, 16 + 8)
    assert gradient("solve_triangular", operands, {0, 1}) == Work(64 + 24, 16 + 8)
    assert gradient("solve", operands, {0, 1}) == Work(64 + 48, 16 + 8)
    assert gradient("inv", (f(4, 4),), {0}) == Work(4 * 64, 16)
    assert gradient("cholesky", (f(4, 4),), {0}) == Work(128 + 2 * 48, 32 + 2 * 16)


def test_distances():
    """2 · 5 · 4 = 40 pairs of 3 differences: 3 · 3 and a root each; 4 per difference backward."""
    x, y = f(2, 5, 3), f(2, 4, 3)
    assert cost("cdist", x, y) == (0, 10 * 40, 40)
    assert cost("cdist", x, y, p=1) == (0, 9 * 40, 0)
    assert cost("cdist", x, y, p=3) == (0, 13 * 40, 40 * 3 + 40)
    assert gradient("cdist", (x, y), {0}) == Work(vector_flops=480)
    assert gradient("cdist", (x, y), {0}, p=3) == Work(vector_flops=960, transcendentals=240)


def test_distances_as_a_product():
    """40 pairs of vectors of 3 + 2: 2 · 40 · 5 FLOPs; 3 · 30 and 2 · 24 for squares and -2, 2 · 40 for the roots. Both
    gradients: 2 · 2 · 40 · 3, quotients once, 3 · 40, then 40 sums each and 2 per element."""
    x, y = f(2, 5, 3), f(2, 4, 3)
    assert cost("euclidean_distance", x, y) == (400, 90 + 48 + 80, 40)
    assert gradient("euclidean_distance", (x, y), {0, 1}) == Work(480, 120 + 80 + 60 + 48)
    assert gradient("euclidean_distance", (x, y), {1}) == Work(240, 120 + 40 + 48)


@pytest.mark.parametrize(
    ("name", "operands", "attributes", "message"),
    [
        ("einsum", THREE, {**EQUATION, "path": ((0, 1),)}, "path [[0, 1]] is not 2 pairs, as 3 operands need"),
        ("einsum", THREE, {**EQUATION, "path": ((0, 3), (0, 1))}, "has the pair [0, 3], with 3 factors left"),
        ("einsum", [*THREE[:2], f(4, 7, 6)], EQUATION, "dimension j is 5 in y but 7 in operand 2"),
        ("einsum", [f(7), f(5, 7)], {"equation": "...sd,...td->...st"}, "has 1 dimensions, fewer than it names"),
        ("einsum", [f(3, 7)] * 2, {"equation": "...d,...d,...d->..."}, "has 3 operands, not 2"),
        ("matmul_add", [f(4), f(3, 4), f(4, 5)], {}, "c [4] does not broadcast to the product, [3, 5]"),
        ("mv", [f(3, 4), f(5)], {}, "dimension k is 4 in x but 5 in y"),
        ("bilinear", [f(4, 6), f(4, 7), f(5, 7, 6)], {}, "dimension i is 6 in x but 7 in weight"),
        ("weight_norm", [f(6, 20), f(20, 1)], {}, "g [20, 1] has no length for each row of v [6, 20]"),
        ("solve_triangular", [f(4, 4), f(3, 2)], {}, "b [3, 2] does not fit the 4 unknowns of a [4, 4]"),
        ("solve", [f(4, 4), f(4)], {}, "a has 2 dimensions but b has 1: write the columns as a matrix"),
        ("cdist", [f(5, 3), f(4, 3)], {"p": 0}, "p must be a number greater than 0, not 0"),
    ],
)
def test_operands_that_do_not_fit(name, operands, attributes, message):
    """Each error names the operand or the attribute, and the sizes."""
    with pytest.raises(GraphacctError) as error:
        OPERATORS[name].apply(operands, attributes)
    assert message in str(error.value)
