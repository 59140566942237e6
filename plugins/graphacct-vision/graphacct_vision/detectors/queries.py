"""Heads of models that find objects: perceptrons of a few layers over the states of queries."""

from __future__ import annotations

from graphacct_architectures.layers import activation, linear

from graphacct import Builder, Dim, Value


def perceptron(b: Builder, name: str, x: Value, hidden: Dim, out: Dim, layers: int, act: str = "relu") -> Value:
    """Returns x after `layers` linear layers with an activation between, a ReLU unless another is given."""
    with b.scope(name):
        for index in range(layers):
            last = index + 1 == layers
            x = linear(b, f"layers.{index}", x, out if last else hidden)
            x = x if last else activation(b, act, x, f"activation_{index}")
    return x


def boxes(b: Builder, name: str, x: Value, hidden: Dim, layers: int = 3) -> Value:
    """Returns a centre, a width and a height for each query, from 0 to 1."""
    x = perceptron(b, name, x, hidden, 4, layers)
    return b.apply("sigmoid", x, name=f"{name}_sigmoid")
