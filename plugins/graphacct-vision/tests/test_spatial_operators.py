"""Interpolation, sampling, shuffles, patches, padding and two norms: shapes, work, gradients, what is kept.

What is kept was measured with torch 2.13 on a CPU (`torch.autograd.graph.saved_tensors_hooks` around one operator).
"""

from typing import Any

import graphacct_vision
import numpy
import pytest
import sympy

from graphacct import GraphacctError, Node, TensorSpec, Value, Work
from graphacct.operators.saves import saved_tensors
from graphacct.training.gradients import gradient_work

OPERATORS = {op.name: op.load() for op in graphacct_vision.graphacct_register_operators()}
IMAGE = (2, 4, 6, 5)
ELEMENTS = 2 * 4 * 6 * 5


def specs(*shapes: Any) -> list[TensorSpec]:
    return [shape if isinstance(shape, TensorSpec) else TensorSpec(shape) for shape in shapes]


def work(name: str, *shapes: Any, **attributes: Any) -> tuple[Any, ...]:
    """The output's shape, and the vector FLOPs of one application, which has no other."""
    application = OPERATORS[name].apply(specs(*shapes), attributes)
    assert application.cost.matmul_flops == 0
    return application.outputs[0].shape, application.cost.vector_flops


def gradient(name: str, of: int, *shapes: Any, **attributes: Any) -> Work:
    values = [Value(f"v{place}", spec) for place, spec in enumerate(specs(*shapes))]
    out = Value("out", OPERATORS[name].apply(specs(*shapes), attributes).outputs[0])
    node = Node("n", name, values, (out,), attributes)
    found = gradient_work(OPERATORS[name], node, [place == of for place in range(len(values))])
    assert found is not None
    return found.input_grad


def kept(name: str, *shapes: Any, **attributes: Any) -> dict[str, tuple[Any, ...]]:
    return {item.name: item.spec.shape for item in saved_tensors(OPERATORS[name], specs(*shapes), attributes)}


def test_nearest_reads_what_it_takes() -> None:
    """(6, 5) to (12, 10) takes every input once, in 4 bytes; (6, 5) to (3, 7) takes 3 rows of 5. Each of g is
    added to one input."""
    assert work("upsample_nearest", IMAGE, size=(12, 10)) == ((2, 4, 12, 10), 0)
    apply = OPERATORS["upsample_nearest"].apply
    assert apply(specs(IMAGE), {"size": (12, 10)}).cost.read_bytes == 4 * ELEMENTS
    assert apply(specs(IMAGE), {"size": (3, 7)}).cost.read_bytes == 4 * 2 * 4 * 3 * 5
    assert gradient("upsample_nearest", 0, IMAGE, size=(12, 10)) == Work(vector_flops=2 * 4 * 12 * 10)


@pytest.mark.parametrize(
    ("shape", "size", "forward", "backward"),
    [((2, 4, 6), 12, 3, 4), (IMAGE, (12, 10), 9, 12), ((2, 4, 2, 3, 5), (4, 6, 10), 21, 32)],
)
def test_linear_interpolation(shape: Any, size: Any, forward: int, backward: int) -> None:
    """A step between two values is 3: of them there are 1, 1 + 2 and 1 + 2 + 4. Backward 2, 4 and 8 inputs get g times
    1, 2 and 3 weights, added: 2 · 2, 4 · 3, 8 · 4."""
    out, flops = work("upsample_linear", shape, size=size)
    elements = numpy.prod(out)
    assert flops == forward * elements
    assert gradient("upsample_linear", 0, shape, size=size) == Work(vector_flops=backward * elements)


def test_bicubic_interpolation() -> None:
    """5 sums of 4 products, 4 + 3 each: 35. Backward 16 inputs, 2 products and a sum each: 48."""
    assert work("upsample_bicubic", IMAGE, size=(12, 10)) == ((2, 4, 12, 10), 35 * 960)
    assert gradient("upsample_bicubic", 0, IMAGE, size=(12, 10)) == Work(vector_flops=48 * 960)


def test_sampling_at_a_grid() -> None:
    """18 positions, whose 2 coordinates take 4 and a floor, and whose 4 corners 2 differences and a product each:
    10 + 12 = 22; 72 output elements with 4 products and their sum of 4. For the grid 4 · 2 · 3 = 24 per element, and 1
    per coordinate."""
    grid = (2, 3, 3, 2)
    assert work("grid_sampler", IMAGE, grid) == ((2, 4, 3, 3), 8 * 72 + 22 * 18)
    assert work("grid_sampler", IMAGE, grid, align_corners=True)[1] == 8 * 72 + 20 * 18
    assert work("grid_sampler", IMAGE, grid, padding_mode="border")[1] == 8 * 72 + 26 * 18
    assert work("grid_sampler", IMAGE, grid, interpolation_mode="nearest")[1] == 10 * 18
    assert work("grid_sampler", IMAGE, grid, interpolation_mode="bicubic")[1] == 35 * 72 + (10 + 52) * 18
    assert gradient("grid_sampler", 0, IMAGE, grid) == Work(vector_flops=8 * 72 + 22 * 18)
    assert gradient("grid_sampler", 1, IMAGE, grid) == Work(vector_flops=24 * 72 + 2 * 18)
    assert gradient("grid_sampler", 1, IMAGE, grid, interpolation_mode="nearest") == Work()


def test_positions_of_a_transformation() -> None:
    """2 images of 6 × 5 positions, 2 coordinates of 3 products: 2 · 2 · 30 · 2 · 3 = 720 FLOPs, and back as many."""
    application = OPERATORS["affine_grid"].apply(specs((2, 2, 3)), {"size": (6, 5)})
    assert application.outputs[0].shape == (2, 6, 5, 2)
    assert application.cost.matmul_flops == 720
    assert gradient("affine_grid", 0, (2, 2, 3), size=(6, 5)) == Work(720)
    assert OPERATORS["affine_grid"].apply(specs((2, 3, 4)), {"size": (4, 6, 5)}).outputs[0].shape == (2, 4, 6, 5, 3)
    with pytest.raises(GraphacctError, match=r"theta is \(batch, 3, 3\); a transformation is 2 x 3"):
        OPERATORS["affine_grid"].apply(specs((2, 3, 3)), {"size": (6, 5)})


def test_sampling_a_volume() -> None:
    """54 positions of 3 coordinates, 5 each, and 8 corners of 3 differences and 2 products: 15 + 40; 16 per element."""
    out, flops = work("grid_sampler", (2, 4, 3, 4, 5), (2, 3, 3, 3, 3))
    assert out == (2, 4, 3, 3, 3)
    assert flops == 16 * 216 + 55 * 54


def test_shuffles_copy() -> None:
    """Every element is read once and written once, forward and backward, and none is computed with."""
    assert work("pixel_shuffle", IMAGE, upscale_factor=2) == ((2, 1, 12, 10), 0)
    assert work("pixel_unshuffle", (2, 1, 12, 10), downscale_factor=2) == (IMAGE, 0)
    assert work("channel_shuffle", IMAGE, groups=2) == (IMAGE, 0)
    for name, attributes in (("pixel_shuffle", {"upscale_factor": 2}), ("channel_shuffle", {"groups": 2})):
        cost = OPERATORS[name].apply(specs(IMAGE), attributes).cost
        assert (cost.read_bytes, cost.write_bytes, cost.activation_bytes) == (4 * ELEMENTS,) * 3
        assert gradient(name, 0, IMAGE, **attributes) == Work()


def test_patches_and_back() -> None:
    """3 × 3 patches of 6 × 5 are 4 · 3 = 12 columns of 4 · 9 rows; back, each of 2 · 36 · 12 = 864 is added once."""
    assert work("im2col", IMAGE, kernel=3) == ((2, 36, 12), 0)
    assert work("im2col", IMAGE, kernel=(3, 1), stride=2, padding=(1, 0)) == ((2, 12, 9), 0)
    assert work("col2im", (2, 36, 12), size=(6, 5), kernel=3) == (IMAGE, 864)
    assert gradient("im2col", 0, IMAGE, kernel=3) == Work(vector_flops=864)
    assert gradient("col2im", 0, (2, 36, 12), size=(6, 5), kernel=3) == Work()


def test_padding_by_the_edge() -> None:
    """1 column on each side, 2 rows above and 1 below: 9 × 7, each of whose gradients is added once."""
    for name in ("reflection_pad", "replication_pad"):
        assert work(name, IMAGE, padding=(1, 1, 2, 1)) == ((2, 4, 9, 7), 0)
        assert gradient(name, 0, IMAGE, padding=(1, 1, 2, 1)) == Work(vector_flops=2 * 4 * 9 * 7)
        assert kept(name, IMAGE, padding=(1, 1, 2, 1)) == {"x": IMAGE}


def test_maxima_of_adapted_windows() -> None:
    """6 to 3 sees 6 positions, 5 to 3 sees 7: 42 comparisons for each of 8 channels."""
    assert work("adaptive_max_pool", IMAGE, size=3) == ((2, 4, 3, 3), 8 * 42)
    assert gradient("adaptive_max_pool", 0, IMAGE, size=3) == Work(vector_flops=72)
    assert kept("adaptive_max_pool", IMAGE, size=3) == {"x": IMAGE, "indices": (2, 4, 3, 3)}


def test_positions_of_the_largest_are_an_output_if_asked_for() -> None:
    """For max_unpool: 8 bytes for each of 2 · 4 · 3 · 2, which the backward pass keeps instead of a tensor of its
    own."""
    for name, attributes in (("max_pool", {"kernel": 2}), ("adaptive_max_pool", {"size": (3, 2)})):
        operator = OPERATORS[name]
        application = operator.apply(specs(IMAGE), {**attributes, "return_indices": True})
        assert application.outputs == (TensorSpec((2, 4, 3, 2)), TensorSpec((2, 4, 3, 2), "int64"))
        assert application.cost.vector_flops == operator.apply(specs(IMAGE), attributes).cost.vector_flops
        assert set(kept(name, IMAGE, **attributes)) == {"x", "indices"}
        assert set(kept(name, IMAGE, **attributes, return_indices=True)) == {"x", "positions"}


def test_unpooling_puts_back() -> None:
    """It moves 72 elements to where the indices say, which are kept."""
    indices = TensorSpec((2, 4, 3, 3), "int64")
    assert work("max_unpool", (2, 4, 3, 3), indices, size=6) == ((2, 4, 6, 6), 0)
    assert gradient("max_unpool", 0, (2, 4, 3, 3), indices, size=6) == Work()
    assert kept("max_unpool", (2, 4, 3, 3), indices, size=6) == {"indices": (2, 4, 3, 3)}


def test_instance_norm_is_a_batch_norm_of_each_image() -> None:
    """7 per element and 4 for each of 8 images and channels; torch keeps the weight repeated for the 2 images."""
    assert work("instance_norm", IMAGE, (4,), (4,)) == (IMAGE, 7 * ELEMENTS + 4 * 8)
    assert work("instance_norm", IMAGE) == (IMAGE, 5 * ELEMENTS + 4 * 8)
    assert gradient("instance_norm", 0, IMAGE, (4,), (4,)) == Work(vector_flops=9 * ELEMENTS + 5 * 8)
    assert gradient("instance_norm", 1, IMAGE, (4,), (4,)) == Work(vector_flops=2 * 8)
    assert gradient("instance_norm", 2, IMAGE, (4,), (4,)) == Work(vector_flops=8)
    assert kept("instance_norm", IMAGE, (4,), (4,)) == {
        "x": IMAGE,
        "repeated_weight": (8,),
        "mean": (2, 4),
        "rstd": (2, 4),
    }
    assert kept("instance_norm", IMAGE) == {"x": IMAGE, "mean": (2, 4), "rstd": (2, 4)}


def test_local_response_norm() -> None:
    """Over 3 channels 6 + 3 per element; torch keeps the squares padded to 4 + 2 channels."""
    assert work("local_response_norm", IMAGE, size=3) == (IMAGE, 9 * ELEMENTS)
    assert gradient("local_response_norm", 0, IMAGE, size=3) == Work(
        vector_flops=17 * ELEMENTS, transcendentals=ELEMENTS
    )
    shapes = {"x": IMAGE, "padded_squares": (2, 6, 6, 5), "mean_square": IMAGE, "divisor": IMAGE}
    assert kept("local_response_norm", IMAGE, size=3) == shapes


@pytest.mark.parametrize(
    ("name", "shapes", "attributes", "expected"),
    [
        ("upsample_nearest", [IMAGE], {"size": 8}, set()),
        ("upsample_linear", [IMAGE], {"size": 8}, set()),
        ("upsample_bicubic", [IMAGE], {"size": 8}, set()),
        ("pixel_shuffle", [IMAGE], {"upscale_factor": 2}, set()),
        ("im2col", [IMAGE], {"kernel": 2}, set()),
        ("col2im", [(2, 36, 12)], {"size": (6, 5), "kernel": 3}, set()),
        ("grid_sampler", [IMAGE, (2, 3, 3, 2)], {}, {"x", "grid"}),
    ],
)
def test_what_is_kept(name: str, shapes: list[Any], attributes: dict[str, Any], expected: set[str]) -> None:
    """Operators without a product of two tensors that need a gradient keep nothing; sampling keeps both."""
    assert set(kept(name, *shapes, **attributes)) == expected


CASES: dict[str, tuple[list[tuple[Any, ...]], dict[str, Any]]] = {
    "upsample_nearest": ([("b", "c", "h", "w")], {"size": (8, 9)}),
    "upsample_linear": ([("b", "c", "h", "w")], {"size": (8, 9)}),
    "upsample_bicubic": ([("b", "c", "h", "w")], {"size": (8, 9)}),
    "grid_sampler": ([("b", "c", "h", "w"), ("b", "h", "w", 2)], {}),
    "channel_shuffle": ([("b", 4, "h", "w")], {"groups": 2}),
    "pixel_shuffle": ([("b", 4, "h", "w")], {"upscale_factor": 2}),
    "im2col": ([("b", "c", "h", "w")], {"kernel": 3, "padding": 1}),
    "reflection_pad": ([("b", "c", "h", "w")], {"padding": (1, 1, 1, 1)}),
    "replication_pad": ([("b", "c", "h", "w")], {"padding": (1, 1, 1, 1)}),
    "instance_norm": ([("b", "c", "h", "w"), ("c",), ("c",)], {}),
    "local_response_norm": ([("b", "c", "h", "w")], {"size": 5}),
    "adaptive_max_pool": ([("b", "c", "h", "w")], {"size": 3}),
}


@pytest.mark.parametrize("name", CASES)
def test_symbols_and_arrays_agree_with_ints(name: str) -> None:
    """b 2, c 3, h 7, w 5 put into the formula, and as points of a sweep, are the ints' work and shapes."""
    shapes, attributes = CASES[name]
    sizes = {"b": 2, "c": 3, "h": 7, "w": 5}
    symbols = {key: sympy.Symbol(key, integer=True, positive=True) for key in sizes}

    def applied(values: dict[str, Any]) -> tuple[Any, ...]:
        given = [TensorSpec(tuple(values.get(d, d) for d in shape)) for shape in shapes]
        application = OPERATORS[name].apply(given, attributes)
        return (*application.outputs[0].shape, application.cost.vector_flops, application.cost.read_bytes)

    exact = applied(sizes)
    assert all(type(figure) is int for figure in exact)
    put_in = {symbol: sizes[key] for key, symbol in symbols.items()}
    assert tuple(sympy.sympify(figure).subs(put_in) for figure in applied(symbols)) == exact
    swept = applied({key: numpy.array([size, size], float) for key, size in sizes.items()})
    assert tuple(numpy.broadcast_to(figure, 2)[1] for figure in swept) == exact


@pytest.mark.parametrize(
    ("name", "shapes", "attributes", "message"),
    [
        ("upsample_linear", [(2, 4)], {"size": 2}, r"interpolates 1 to 3 spatial dimensions; .* x has \[\]"),
        ("upsample_nearest", [IMAGE], {"size": (2, 2, 2)}, "has 3 numbers for 2 spatial dimensions"),
        ("upsample_bicubic", [(2, 4, 6)], {"size": 2}, "bicubic interpolation is of 2 spatial dimensions"),
        ("grid_sampler", [IMAGE, (2, 3, 3, 3)], {}, r"grid is \[2, 3, 3, 3\]; for 2 spatial dimensions"),
        ("grid_sampler", [(2, 4, 6), (2, 3, 1)], {}, "samples 2 or 3 spatial dimensions"),
        (
            "grid_sampler",
            [IMAGE, (2, 3, 3, 2)],
            {"interpolation_mode": "cubic"},
            "is one of bilinear, nearest, bicubic",
        ),
        ("grid_sampler", [IMAGE, (2, 3, 3, 2)], {"padding_mode": "wrap"}, "is one of zeros, border, reflection"),
        ("pixel_shuffle", [IMAGE], {"upscale_factor": 3}, "dimension c is 4, which does not divide"),
        ("pixel_unshuffle", [IMAGE], {"downscale_factor": 2}, "dimension w is 5, which does not divide"),
        ("channel_shuffle", [IMAGE], {"groups": 0}, "groups must be a whole number of at least 1, not 0"),
        (
            "im2col",
            [IMAGE],
            {"kernel": 7},
            "spatial dimension 0 of size 6 with padding 0 is smaller than a patch of span 7",
        ),
        ("col2im", [(2, 36, 11)], {"size": (6, 5), "kernel": 3}, r"x has 11 columns, but an image of \[6, 5\]"),
        ("col2im", [(2, 35, 12)], {"size": (6, 5), "kernel": 3}, "dimension rows is 35, which does not divide"),
        ("reflection_pad", [IMAGE], {"padding": (5, 0, 0, 0)}, "padding 5 reflects spatial dimension 1 of size 5"),
        ("replication_pad", [IMAGE], {"padding": (1, 1)}, "has 2 numbers; for 2 spatial dimensions it has two each"),
        ("replication_pad", [IMAGE], {"padding": (1, 1, -1, 1)}, "whole numbers of at least 0, not -1"),
        ("local_response_norm", [IMAGE], {"size": 0}, "size must be a whole number of at least 1, not 0"),
    ],
)
def test_what_cannot_be_is_named(name: str, shapes: list[Any], attributes: dict[str, Any], message: str) -> None:
    """Each error names the dimension or the attribute, and its value."""
    with pytest.raises(GraphacctError, match=message):
        OPERATORS[name].apply(specs(*shapes), attributes)
