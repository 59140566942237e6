"""Channels moved to positions and back, or among themselves: copies without arithmetic."""

from typing import Any

from graphacct import OperatorError, ShapeError, TensorSpec, Work, exact_div, has_value, operator


def _factor(name: str, value: Any) -> Any:
    if isinstance(value, (str, float, bool)) or value is None or (type(value) is int and value < 1):
        raise OperatorError(f"{name} must be a whole number of at least 1, not {value!r}")
    return value


def _divided(size: Any, by: Any, what: str, name: str) -> Any:
    if has_value(size) and has_value(by) and size % by:
        raise ShapeError(f"{what} is {size}, which does not divide into {name} {by}")
    return exact_div(size, by)


def _shuffled(x: TensorSpec, c: Any, h: Any, w: Any, *, upscale_factor: Any) -> tuple[Any, ...]:
    r = _factor("upscale_factor", upscale_factor)
    return (*x.shape[:-3], _divided(c, r * r, "dimension c", "the square of upscale_factor:"), h * r, w * r)


@operator("x: ... c h w -> *out", infer=_shuffled, gradients={"x": lambda: Work()})
def pixel_shuffle() -> Work:
    """Channels become positions: (c r², h, w) is copied to (c, h r, w r), r the `upscale_factor` (Shi et al., 2016). No
    arithmetic.

    Backward: g is copied back. Nothing is kept.
    """
    return Work()


def _unshuffled(x: TensorSpec, c: Any, h: Any, w: Any, *, downscale_factor: Any) -> tuple[Any, ...]:
    r = _factor("downscale_factor", downscale_factor)
    height = _divided(h, r, "dimension h", "downscale_factor")
    return (*x.shape[:-3], c * r * r, height, _divided(w, r, "dimension w", "downscale_factor"))


@operator("x: ... c h w -> *out", infer=_unshuffled, gradients={"x": lambda: Work()})
def pixel_unshuffle() -> Work:
    """Positions become channels: (c, h r, w r) is copied to (c r², h, w), r the `downscale_factor`. No arithmetic.

    Backward: g is copied back. Nothing is kept.
    """
    return Work()


def _mixed(x: TensorSpec, c: Any, *, groups: Any) -> TensorSpec:
    _divided(c, _factor("groups", groups), "dimension c", "groups")
    return x


@operator("x: b c ... -> b c ...", infer=_mixed, gradients={"x": lambda: Work()})
def channel_shuffle() -> Work:
    """The channels of `groups` groups, dealt out in turn (Zhang et al., ShuffleNet, 2017): a copy. No arithmetic.

    Backward: g is copied back. Nothing is kept.
    """
    return Work()
