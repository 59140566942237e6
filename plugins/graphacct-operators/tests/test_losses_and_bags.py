"""Losses, bags of embeddings, Fourier transforms and sliding windows: work, gradients, what is kept.

What is kept was measured with torch 2.13 on a CPU (hooks on saved tensors around one operator).
"""

import graphacct_operators
import pytest

from graphacct import Builder, GraphacctError, Node, TensorSpec, Value, account
from graphacct.operators.saves import saved_tensors
from graphacct.training.gradients import gradient_work

OPERATORS = {op.name: op.load() for op in graphacct_operators.graphacct_register_operators()}


def f(*shape):
    return TensorSpec(shape)


def i(*shape):
    return TensorSpec(shape, "int64")


def c(*shape):
    return TensorSpec(shape, "complex64")


X = f(6, 5)


def cost(name, *operands, **attributes):
    found = OPERATORS[name].apply(operands, attributes).cost
    assert found.matmul_flops == 0
    return found.vector_flops, found.transcendentals


def gradient(name, operands, wanted, **attributes):
    values = tuple(Value(f"v{place}", spec) for place, spec in enumerate(operands))
    out = Value("out", OPERATORS[name].apply(operands, attributes).outputs[0])
    flags = [place in wanted for place in range(len(values))]
    found = gradient_work(OPERATORS[name], Node("n", name, values, (out,), attributes), flags).input_grad
    return found.vector_flops, found.transcendentals


def kept(name, *operands, **attributes):
    return {item.name: item.spec.shape for item in saved_tensors(OPERATORS[name], operands, attributes)}


def test_negative_log_likelihood():
    """6 rows: 6 negated, 6 summed, 1 division; with weights 6 products, and 6 more to sum the weights. It reads 6
    targets of 8 bytes and 6 entries of 4."""
    assert cost("nll_loss", X, i(6)) == (13, 0)
    assert cost("nll_loss", X, i(6), f(5)) == (25, 0)
    assert cost("nll_loss", X, i(6), reduction="none") == (6, 0)
    assert OPERATORS["nll_loss"].apply([X, i(6)], {}).cost.read_bytes == 6 * 8 + 6 * 4
    assert gradient("nll_loss", [X, i(6)], {0}) == (7, 0)
    assert kept("nll_loss", X, i(6)) == {"x": (6, 5), "targets": (6,), "total_weight": ()}


def test_negative_log_likelihood_of_an_image():
    """The classes are in dimension 1: 2 images of 3 × 3 positions are 18 rows."""
    operands = [f(2, 5, 3, 3), i(2, 3, 3)]
    assert cost("nll_loss", *operands) == (2 * 18 + 1, 0)
    assert OPERATORS["nll_loss"].apply(operands, {"reduction": "none"}).outputs == (f(2, 3, 3),)


def test_margins():
    """5 per element, exp and log among them; backward 8, exp again; 1 division for the mean."""
    assert cost("soft_margin_loss", X, X) == (5 * 30 + 31, 60)
    assert gradient("soft_margin_loss", [X, X], {0}) == (8 * 30 + 1, 30)
    assert kept("soft_margin_loss", X, X) == {"x": (6, 5), "y": (6, 5)}


@pytest.mark.parametrize(("name", "each"), [("l1_loss", 2), ("smooth_l1_loss", 7), ("huber_loss", 7)])
def test_losses_of_a_difference(name, each):
    """Per element; then 30 sums and 1 division for the mean."""
    assert cost(name, X, X, reduction="none") == (each * 30, 0)
    assert cost(name, X, X, reduction="sum") == (each * 30 + 30, 0)
    assert cost(name, X, X) == (each * 30 + 31, 0)
    assert OPERATORS[name].apply([X, X], {}).outputs == (f(),)


def test_gradients_of_a_difference():
    """l1 is a chain whose mean divides g for each element, and y's gradient is x's, negated; the others are a
    kernel."""
    assert gradient("l1_loss", [X, X], {0}) == (90, 0)
    assert gradient("l1_loss", [X, X], {1}) == (120, 0)
    assert gradient("l1_loss", [X, X], {0, 1}) == (120, 0)
    assert gradient("l1_loss", [X, X], {0}, reduction="sum") == (60, 0)
    assert gradient("smooth_l1_loss", [X, X], {0}) == (211, 0)
    assert gradient("huber_loss", [X, X], {0, 1}, reduction="none") == (420, 0)
    assert kept("l1_loss", X, X) == {"difference": (6, 5)}
    assert kept("huber_loss", X, X) == kept("smooth_l1_loss", X, X) == {"x": (6, 5), "y": (6, 5)}


def test_binary_cross_entropy():
    """9 per element, two logarithms; 1 more for a weight."""
    assert cost("binary_cross_entropy", X, X) == (9 * 30 + 31, 60)
    assert cost("binary_cross_entropy", X, X, f(5), reduction="sum") == (10 * 30 + 30, 60)
    assert gradient("binary_cross_entropy", [X, X], {0}) == (7 * 30, 0)
    assert gradient("binary_cross_entropy", [X, X], {1}, reduction="sum") == (5 * 30, 30)
    assert kept("binary_cross_entropy", X, X) == {"x": (6, 5), "y": (6, 5)}


def test_binary_cross_entropy_of_logits():
    """10 per element, 7 of them for log_sigmoid; 3 more for pos_weight, and 1 for each of its 5."""
    name = "binary_cross_entropy_with_logits"
    assert cost(name, X, X) == (10 * 30 + 31, 60)
    assert cost(name, X, X, f(6, 5), f(5)) == (14 * 30 + 5 + 31, 60)
    assert gradient(name, [X, X], {0}) == (7 * 30, 30)
    assert gradient(name, [X, X, X, f(5)], {0}, reduction="sum") == (11 * 30, 30)
    assert gradient(name, [X, X], {1}, reduction="sum") == (2 * 30, 0)
    assert gradient(name, [X, X, X, f(5)], {1}, reduction="sum") == (19 * 30, 4 * 30)
    assert kept(name, X, X, X, f(5)) == {"x": (6, 5), "y": (6, 5), "weight": (6, 5), "pos_weight": (5,)}


def test_divergence():
    """4 per element and one logarithm, 30 sums; batchmean divides once."""
    assert cost("kl_div", X, X, reduction="batchmean") == (4 * 30 + 31, 30)
    assert gradient("kl_div", [X, X], {0}, reduction="batchmean") == (61, 0)
    assert gradient("kl_div", [X, X], {0, 1}, reduction="sum") == (60 + 300, 30)


def test_connectionist_temporal_classification():
    """10 steps, batch 3, 4 targets and so 9 states: 13 · 270, 4 of them exp and log; 3 + 6 + 3 + 1 for the losses'
    mean. torch keeps the forward probabilities of all states, (3, 10, 9)."""
    operands = [f(10, 3, 7), i(3, 4), i(3), i(3)]
    assert cost("ctc_loss", *operands) == (13 * 270 + 13, 4 * 270)
    assert gradient("ctc_loss", operands, {0}) == (21 * 270 + 6 * 210 + 6, 7 * 270 + 2 * 210)
    assert kept("ctc_loss", *operands)["log_alpha"] == (3, 10, 9)
    assert kept("ctc_loss", *operands)["neg_log_likelihood"] == (3,)


def test_bags_of_embeddings():
    """3 bags of 2 rows of 5: 30 additions, 15 divisions for the mean; it reads 6 ids and 6 rows, 48 + 120 bytes."""
    operands = [i(3, 2), f(10, 5)]
    assert cost("embedding_bag", *operands) == (45, 0)
    assert cost("embedding_bag", *operands, mode="sum") == (30, 0)
    assert cost("embedding_bag", *operands, mode="max") == (30, 0)
    assert OPERATORS["embedding_bag"].apply(operands, {}).outputs == (f(3, 5),)
    assert OPERATORS["embedding_bag"].apply(operands, {}).cost.read_bytes == 48 + 120
    assert gradient("embedding_bag", operands, {1}) == (60, 0)
    assert gradient("embedding_bag", operands, {1}, mode="sum") == (30, 0)
    assert gradient("embedding_bag", operands, {1}, mode="max") == (15, 0)
    assert "largest" not in kept("embedding_bag", *operands)
    assert kept("embedding_bag", *operands, mode="max")["largest"] == (3, 5)


def test_bags_that_offsets_begin():
    """4 ids in 2 bags, each with a weight: 12 products, 12 additions; a weight's gradient is 3 products and their
    sum."""
    operands = [i(4), f(10, 3), i(2), f(4)]
    assert cost("embedding_bag", *operands, mode="sum") == (24, 0)
    assert gradient("embedding_bag", operands, {3}, mode="sum") == (24, 0)
    assert OPERATORS["embedding_bag"].apply(operands, {"mode": "sum"}).outputs == (f(2, 3),)
    assert "own_offsets" not in kept("embedding_bag", *operands)


@pytest.mark.parametrize(("mode", "expected"), [("sum", 24 + 24 + 24), ("mean", 24 + 56 + 24 + 24), ("max", 224)])
def test_what_bags_keep_on_a_cpu(mode, expected):
    """Offsets and sizes of 3 bags, 8 bytes each; 7 for the bags of 6 ids, none for a sum; 3 or 15 for the largest. As
    torch 2.13 keeps beside the ids."""
    b = Builder("net")
    out = b.apply("embedding_bag", b.input("ids", (3, 2), "int64"), b.parameter("weight", (10, 5)), mode=mode)
    total = account(b.graph(b.apply("sum", out)), phase="train", profile="torch-eager-cpu").total
    assert total["saved_bytes"] == expected


def test_fourier_transforms():
    """8 is 2³: 5 · 3 per complex element, half of that per real one. 12 takes 4 passes."""
    assert cost("fft_c2c", c(3, 8)) == (15 * 24, 0)
    assert cost("fft_c2c", c(3, 8), normalization=1) == (17 * 24, 0)
    assert cost("fft_c2c", c(4, 8), dim=(0, 1)) == (5 * 32 * 5, 0)
    assert cost("fft_c2c", c(3, 12)) == (20 * 36, 0)
    assert cost("fft_r2c", f(3, 8)) == (15 * 12, 0)
    assert OPERATORS["fft_r2c"].apply([f(3, 8)], {}).outputs == (c(3, 5),)
    assert OPERATORS["fft_r2c"].apply([f(3, 8)], {"onesided": False}).outputs == (c(3, 8),)
    assert cost("fft_c2r", c(3, 5), last_dim_size=8) == (15 * 12, 0)
    assert OPERATORS["fft_c2r"].apply([c(3, 5)], {"last_dim_size": 8}).outputs == (f(3, 8),)


def test_gradients_of_fourier_transforms():
    """A real transform's is a complex one of 24 (torch runs _fft_c2c); the inverse's doubles 3 of 5 in each row."""
    assert gradient("fft_c2c", [c(3, 8)], {0}) == (15 * 24, 0)
    assert gradient("fft_r2c", [f(3, 8)], {0}) == (15 * 24, 0)
    assert gradient("fft_c2r", [c(3, 5)], {0}, last_dim_size=8) == (15 * 12 + 2 * 9, 0)
    assert kept("fft_c2c", c(3, 8)) == {}
    assert kept("fft_r2c", f(3, 8)) == {"x": (3, 8)}


def test_sliding_windows_are_a_view():
    """Windows of 3, every 2 of 9: 4 of them, with strides as torch has them; no bytes."""
    application = OPERATORS["unfold"].apply([f(2, 4, 9)], {"dimension": -1, "size": 3, "step": 2})
    assert application.outputs == (TensorSpec((2, 4, 4, 3), "float32", (36, 9, 2, 1)),)
    assert application.view
    assert (application.cost.read_bytes, application.cost.activation_bytes) == (0, 0)
    assert gradient("unfold", [f(2, 4, 9)], {0}, dimension=2, size=3, step=2) == (96, 0)


@pytest.mark.parametrize(
    ("name", "operands", "attributes", "message"),
    [
        ("nll_loss", [X, i(5)], {}, "dimension n is 6 in x but 5 in targets"),
        ("nll_loss", [X, i(6)], {"reduction": "max"}, "reduction is 'mean', 'sum' or 'none', not 'max'"),
        ("kl_div", [X, X], {"reduction": "batch"}, "reduction is 'mean', 'sum', 'batchmean' or 'none', not 'batch'"),
        ("embedding_bag", [i(6), f(10, 5)], {}, "ids [6] without offsets: bags are rows of ids, or a list of ids"),
        ("embedding_bag", [i(3, 2), f(10, 5), i(3)], {}, "ids [3, 2] with offsets"),
        ("embedding_bag", [i(3, 2), f(10, 5)], {"mode": "min"}, "mode is 'sum', 'mean' or 'max', not 'min'"),
        ("fft_c2c", [f(3, 8)], {}, "x is float32; this transform takes complex numbers: complex64, complex128"),
        ("fft_r2c", [c(3, 8)], {}, "x is complex64; this transform takes real numbers: float32, float64"),
        ("fft_c2r", [c(3, 5)], {"last_dim_size": 7}, "dimension 1 of x is 5; for a result of 7 it is 4"),
        ("fft_r2c", [f(3, 8)], {"dim": 2}, "dimension 2 is out of range for 2 dimensions"),
        ("unfold", [f(9)], {"dimension": 0, "size": 10, "step": 1}, "dimension 0 is 9, less than a window of 10"),
        ("unfold", [f(9)], {"dimension": 0, "size": 3, "step": 0}, "step must be a whole number of at least 1, not 0"),
    ],
)
def test_what_does_not_fit(name, operands, attributes, message):
    """Each error names the dimension or the attribute, and its value."""
    with pytest.raises(GraphacctError) as error:
        OPERATORS[name].apply(operands, attributes)
    assert message in str(error.value)
