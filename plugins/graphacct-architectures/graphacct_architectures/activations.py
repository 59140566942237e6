"""The transformers library's names of activations."""

from __future__ import annotations

from typing import Any

import attrs

from graphacct import ConfigError, brief, fields, suggest

ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_10": "gelu clamp",
    "gelu_accurate": "gelu_new",
    "gelu_fast": "gelu_fast",
    "gelu_new": "gelu_new",
    "gelu_python": "gelu_python",
    "gelu_python_tanh": "gelu_new",
    "gelu_pytorch_tanh": "gelu_tanh",
    "hardswish": "hardswish",
    "leaky_relu": "leaky_relu",
    "linear": "",
    "mish": "mish",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "relu2": "relu square",
    "relu6": "relu6",
    "sigmoid": "sigmoid",
    "silu": "silu",
    "sqrtsoftplus": "softplus sqrt",
    "swish": "silu",
    "tanh": "tanh",
}
"""The transformers library's names of activations, and the operators of each in order.

Missing names have parameters of their own (prelu, xielu) or no operator (laplace).
"""


def activation(default: str) -> Any:
    """Returns a key that names an activation. The ConfigError for an unknown one suggests the closest."""
    return fields.checked_field(_activation, default)


def _activation(value: Any, field: attrs.Attribute[Any]) -> str:
    if not isinstance(value, str) or value not in ACTIVATIONS:
        raise ConfigError(f"{field.name} cannot be {brief(value)}{expected(str(value))}")
    return value


def optional_activation() -> Any:
    """Returns a key that names an activation, or None."""
    return fields.checked_field(_optional_activation, None, metadata=fields.OPTIONAL)


def _optional_activation(value: Any, field: attrs.Attribute[Any]) -> str | None:
    if value is not None and (not isinstance(value, str) or value not in ACTIVATIONS):
        raise ConfigError(f"{field.name} cannot be {brief(value)}{expected(str(value))}")
    return value


def expected(name: str) -> str:
    """Returns what a message expects: the closest activation, or all of them."""
    return suggest(name, ACTIVATIONS) or f"; known: {', '.join(sorted(ACTIVATIONS))}"
