"""What the transformers library's convolutional families share: configuration keys and stages of blocks."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from graphacct import Builder, ConfigError, Dim, Value
from graphacct.models.config import LABELS, choice, counts, dtype, label_count, sides, size

ALIASES = {"torch_dtype": "dtype", **LABELS}
ACTIVATIONS = {
    **{name: name for name in ("gelu", "gelu_new", "hardswish", "leaky_relu", "mish", "quick_gelu", "relu", "relu6")},
    **{name: name for name in ("sigmoid", "silu", "tanh")},
    **{"gelu_10": "gelu clamp", "gelu_accurate": "gelu_new", "gelu_fast": "gelu_tanh", "gelu_python": "gelu"},
    **{"gelu_python_tanh": "gelu_new", "gelu_pytorch_tanh": "gelu_tanh", "linear": "", "relu2": "relu square"},
    **{"sqrtsoftplus": "softplus sqrt", "swish": "silu"},
}
"""The transformers library's names of activations, and the operators that they are."""


@attrs.frozen(kw_only=True)
class Staged:
    """The keys that the families share, of which the cost depends on these."""

    num_channels: Dim = size(3)
    depths: tuple[Dim, ...] = counts((3, 4, 6, 3))
    hidden_sizes: tuple[Dim, ...] = counts((256, 512, 1024, 2048))
    hidden_act: str = choice("relu", tuple(ACTIVATIONS))
    num_labels: Dim = label_count()
    image_size: tuple[Dim, Dim] = sides(224)
    dtype: str | None = dtype()

    def __attrs_post_init__(self) -> None:
        if len(self.depths) != len(self.hidden_sizes):
            raise ConfigError(
                f"depths has {len(self.depths)} stages, hidden_sizes {len(self.hidden_sizes)}: one count for each"
            )


def activate(b: Builder, kind: str, x: Value, name: str) -> Value:
    """The activation that a configuration names: an operator, or two with a space between."""
    for index, operator in enumerate(ACTIVATIONS[kind].split()):
        x = b.apply(operator, x, name=f"{name}_{operator}" if index else name)
    return x


def repeated(
    name: str, depth: Dim, first: Callable[..., Value], other: Callable[..., Value], b: Builder, x: Value
) -> Value:
    """`depth` blocks: the first, which changes the shape, then the equal ones as one repeat."""
    with b.scope(f"{name}.0"):
        x = first(b, x)
    rest = depth - 1
    return x if type(rest) is int and rest == 0 else b.repeat(name, rest, other, x, start=1)
