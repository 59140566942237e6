"""batch_norm: factors per element and per channel, traffic, and what cannot be."""

from typing import Any

import pytest
from graphacct_vision.operators.normalization import batch_norm

from graphacct import Cost, Node, OperatorError, ShapeError, TensorSpec, Value, Work
from graphacct.training.gradients import gradient_work

X = TensorSpec((8, 16, 14, 14))
ELEMENTS = 8 * 16 * 14 * 14
CHANNEL = TensorSpec((16,))
COUNT = TensorSpec((), "int64")
FULL = (X, CHANNEL, CHANNEL, CHANNEL, CHANNEL, COUNT)


def cost(*operands: TensorSpec, **attributes: Any) -> Cost:
    application = batch_norm.apply(operands, attributes)
    assert application.outputs == (operands[0],)
    return application.cost


def test_inference_folds_to_a_scale_and_a_shift() -> None:
    """Inference is 2 per element and 5 per channel: eps, rsqrt, times weight, mean * scale, from bias."""
    result = cost(*FULL)
    assert result.matmul_flops == 0
    assert result.vector_flops == 2 * ELEMENTS + 5 * 16
    assert result.transcendentals == 16


def test_without_running_statistics_it_takes_the_batchs() -> None:
    """Without a state there is nothing to update: 5 per element and 4 per channel, plus weight and bias."""
    assert cost(X, training=True).vector_flops == 5 * ELEMENTS + 4 * 16
    assert cost(X, CHANNEL, CHANNEL, training=True).vector_flops == 7 * ELEMENTS + 4 * 16


def test_inference_without_running_statistics_is_refused() -> None:
    """There is nothing to normalise by, as in torch's functional form; the message says the way out."""
    with pytest.raises(OperatorError, match="no running statistics: give them, or training=True"):
        cost(X, CHANNEL, CHANNEL)


def test_training_is_seven_per_element_and_updates_the_statistics() -> None:
    """Training is 7 per element as layer_norm, 4 per channel, and 7 per channel for the two running statistics."""
    result = cost(*FULL, training=True)
    assert result.vector_flops == 7 * ELEMENTS + (4 + 7) * 16
    assert result.transcendentals == 16


def test_the_count_of_batches_costs_nothing_in_inference() -> None:
    """num_batches_tracked is neither read nor written in inference, where all other operands are read once."""
    with_count, without = cost(*FULL), cost(*FULL[:-1])
    assert with_count == without
    assert with_count.read_bytes == 4 * ELEMENTS + 4 * 4 * 16
    assert with_count.write_bytes == with_count.activation_bytes == 4 * ELEMENTS


def test_training_writes_the_running_statistics_and_the_count() -> None:
    """Training reads and writes the two statistics (4 bytes a channel each) and the int64 count; no activation."""
    result = cost(*FULL, training=True)
    assert result.read_bytes == 4 * ELEMENTS + 4 * 4 * 16 + 8
    assert result.write_bytes == 4 * ELEMENTS + 2 * 4 * 16 + 8
    assert result.activation_bytes == 4 * ELEMENTS


def test_it_takes_one_to_three_spatial_dimensions_and_none() -> None:
    """BatchNorm1d normalises (batch, channels) as well as (batch, channels, length)."""
    for shape, elements in (((8, 16), 128), ((8, 16, 5), 640), ((2, 16, 3, 4, 5), 1920)):
        assert cost(TensorSpec(shape), *FULL[1:]).vector_flops == 2 * elements + 5 * 16


def test_the_statistics_must_have_one_value_per_channel() -> None:
    """A weight of another width is named with both sizes."""
    with pytest.raises(ShapeError, match="dimension c is 16 in x but 8 in weight"):
        cost(X, TensorSpec((8,)))


def test_a_mean_without_a_variance_is_refused() -> None:
    """One running statistic alone cannot normalise."""
    with pytest.raises(OperatorError, match="running_mean without running_var"):
        cost(*FULL[:4])


def test_backward_keeps_input_and_statistics_as_torch_does() -> None:
    """torch keeps input, weight, references to the running statistics and, in training, mean and rstd of the batch,
    one float32 a channel (measured on torch 2.14.1; in evaluation the two are empty)."""
    kept = {saved.name: (saved.dims, saved.dtype, saved.if_attribute) for saved in batch_norm.saves}
    assert list(kept) == ["x", "weight", "running_mean", "running_var", "mean", "rstd"]
    assert kept["mean"] == kept["rstd"] == ("c", "float32", "training")
    assert {kept[name] for name in ("x", "weight", "running_mean", "running_var")} == {(None, "", "")}


def gradient(of: int, operands: tuple[TensorSpec, ...] = FULL, **attributes: Any) -> Work:
    """The work of one operand's gradient, the operands being values."""
    values = tuple(Value(f"v{place}", spec) for place, spec in enumerate(operands))
    node = Node("bn", "batch_norm", values, (Value("bn", operands[0]),), attributes)
    found = gradient_work(batch_norm, node, [place == of for place in range(len(operands))])
    assert found is not None
    return found.input_grad


def test_backward_in_training_takes_two_passes() -> None:
    """9 per element and 5 per channel for x (4 without weight); weight and bias are made of its sums."""
    assert gradient(0, training=True) == Work(vector_flops=9 * ELEMENTS + 5 * 16)
    assert gradient(0, (X,), training=True) == Work(vector_flops=9 * ELEMENTS + 4 * 16)
    assert gradient(1, training=True) == Work(vector_flops=16)
    assert gradient(2, training=True) == Work()


def test_backward_in_inference_has_constant_statistics() -> None:
    """1 per element and 3 per channel for x; 3 and 3 for the weight; 1 per element for the bias, the sum of g."""
    assert gradient(0) == Work(vector_flops=ELEMENTS + 3 * 16, transcendentals=16)
    assert gradient(1) == Work(vector_flops=3 * ELEMENTS + 3 * 16, transcendentals=16)
    assert gradient(2) == Work(vector_flops=ELEMENTS)


def test_running_statistics_have_no_gradient() -> None:
    """They are buffers; a graph that trains them is told that nothing is stated."""
    assert set(batch_norm.gradients) == {"x", "weight", "bias"}
