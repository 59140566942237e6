"""What sentence-transformers puts behind a transformer, as a transform: pooling, dense layers, norms.

The order of operations is that of the library (sentence_transformers 6.2, `sentence_transformer/modules/pooling.py`,
`base/modules/dense.py`, `base/modules/normalize.py`), with a mask of ones: no text is padded. Parameters have the names
of the whole model's state_dict, `2.linear.weight`; the transformer's own keep theirs.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphacct import (
    ConfigError,
    Dim,
    Graph,
    Operator,
    Option,
    Parameter,
    Replacement,
    TensorSpec,
    Transform,
    Value,
    brief,
    differ,
    evolve,
    extended,
)

MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
ACTIVATIONS: Mapping[str, str] = {
    "Identity": "",
    "Tanh": "tanh",
    "ReLU": "relu",
    "GELU": "gelu",
    "SiLU": "silu",
    "Sigmoid": "sigmoid",
}
"""The operator of each class of torch.nn that a dense layer may end with."""
WIDE = ("float16", "bfloat16")
"""Dtypes whose sums are computed in float32."""
FORM = "pooling:mean, dense:IN:OUT:Tanh, layer_norm:WIDTH, dropout:P or normalize"


def embedded(graph: Graph, operators: Mapping[str, Operator], modules: Sequence[object]) -> Graph:
    """Returns the graph with `modules` behind its first output, the tokens' (batch, seq, width): its output is one row
    for each text.

    Each of the `modules` is a text: `pooling:` and modes with `+` between, `dense:IN:OUT:ACTIVATION` with `:no_bias`
    and `:residual` if the layer is so, `layer_norm:WIDTH`, or `normalize`. Raises ConfigError for another one, for
    sizes that do not agree, and for a training step that starts from another loss than the sum.
    """
    training = graph.workload.get("phase") == "train"
    steps = [_step(text, index, training) for index, text in enumerate(modules, 1)]
    if training and graph.workload.get("loss") != "sum":
        raise ConfigError(f"a text's embedding has no logits for a {graph.workload.get('loss')}: choose loss='sum'")

    def extend(place: Replacement, outputs: tuple[Value, ...]) -> tuple[Value, ...]:
        x = outputs[0]
        if len(x.spec.shape) != 3:
            raise ConfigError(f"the first output of {graph.name!r} is {x.spec}, no rows of tokens")
        for step in steps:
            x = step(place, x)
        return (place.apply("sum", x, name="loss"), x) if training else (x,)

    if training:
        own = {node.name for node in graph.nodes if _of_loss(node.name)}
        nodes = tuple(node for node in graph.nodes if node.name not in own)
        held = {name: scope for name, scope in graph.held.items() if scope not in own and name not in own}
        graph = evolve(graph, nodes=nodes, outputs=graph.outputs[1:], held=held)
    return extended(graph, operators, extend)


def _of_loss(name: str) -> bool:
    return name == "loss" or name.startswith("loss_")


Step = Callable[[Replacement, Value], Value]


def _step(text: object, index: int, training: bool) -> Step:
    kind, *given = text.split(":") if isinstance(text, str) else ("",)
    if kind == "pooling" and len(given) == 1:
        modes = given[0].split("+")
        strange = [mode for mode in modes if mode not in MODES]
        if strange:
            raise ConfigError(f"pooling has no mode {brief(strange[0])}: known are {', '.join(MODES)}")
        return lambda place, x: _pooled(place, x, modes, str(index))
    if kind == "dense" and len(given) in (3, 4, 5) and set(given[3:]) <= {"no_bias", "residual"}:
        sizes = [int(size) if size.isdecimal() and len(size) < 10 else 0 for size in given[:2]]
        if given[2] in ACTIVATIONS and all(sizes):
            return lambda place, x: _dense(place, x, sizes, given[2], given[3:], str(index))
    if kind == "layer_norm" and len(given) == 1 and given[0].isdecimal() and len(given[0]) < 10:
        return lambda place, x: _normed(place, x, int(given[0]), str(index))
    if kind == "dropout" and len(given) == 1 and re.fullmatch(r"0(\.\d{1,18})?", given[0]):
        chance = float(given[0])
        return lambda place, x: place.apply("dropout", x, name=f"{index}.dropout", p=chance) if training else x
    if text == "normalize":
        return lambda place, x: _normalized(place, x, str(index))
    raise ConfigError(f"module {brief(text)} is not of the form {FORM}")


def _pooled(place: Replacement, x: Value, modes: Sequence[str], at: str) -> Value:
    """Returns one row (batch, modes · width) for each text."""
    batch, seq, width = x.spec.shape

    def here(operator: str, *operands: Any, called: str, **attributes: Any) -> Any:
        return place.apply(operator, *operands, name=f"{at}.{called}", **attributes)

    summed = "float32" if x.spec.dtype in WIDE else x.spec.dtype
    ones = here("full", called="attention_mask", shape=(batch, seq), dtype="int64")
    parts: list[Value] = []
    shared: list[Value] = []
    for mode in modes:
        if mode == "cls":
            place_of = here("argmax", here("cast", ones, called="first_seen", dtype="int32"), called="first_token")
            parts.append(_token(here, x, place_of, mode))
        elif mode == "lasttoken":
            turned = here("flip", ones, called="turned", dims=(1,))
            last = here("scale", here("argmax", turned, called="last_seen"), called="last_token")
            seen = here("reshape", ones, called="last_rows", shape=(batch, seq, 1))
            seen = here(
                "cast",
                here("expand", seen, called="last_mask", shape=(batch, seq, width)),
                called="last_mask_cast",
                dtype=x.spec.dtype,
            )
            parts.append(_token(here, here("mul", x, seen, called="last_masked"), last, mode))
        elif mode == "max":
            seen = here(
                "expand",
                here("reshape", ones, called="max_rows", shape=(batch, seq, 1)),
                called="max_mask",
                shape=(batch, seq, width),
            )
            unseen = here("logical_not", here("cast", seen, called="max_seen", dtype="bool"), called="max_unseen")
            parts.append(here("amax", here("masked_fill", x, unseen, called="max_filled"), called="max", dim=1))
        elif mode == "weightedmean":
            rows = here(
                "cast",
                here("reshape", ones, called="weight_rows", shape=(batch, seq, 1)),
                called="weight_mask",
                dtype=summed,
            )
            weights = _as(here, here("arange", called="weights", n=seq), summed, "weights")
            weights = here("reshape", weights, called="weight_column", shape=(1, seq, 1))
            mask = here("mul", rows, weights, called="weighted_mask")
            total = here("sum", here("mul", x, mask, called="weighted"), called="weighted_sum", dim=1)
            count = here("clamp", here("sum", mask, called="weights_sum", dim=1), called="weights_clamped")
            parts.append(_as(here, here("div", total, count, called="weightedmean"), x.spec.dtype, mode))
        else:
            if not shared:
                rows = here("reshape", ones, called="mask_rows", shape=(batch, seq, 1))
                mask = here("cast", rows, called="mask", dtype=x.spec.dtype)
                whole = {"dim": 1, **({} if summed == x.spec.dtype else {"dtype": summed})}
                total = here("sum", here("mul", x, mask, called="masked"), called="masked_sum", **whole)
                shared = [total, here("clamp", here("sum", mask, called="count", **whole), called="count_clamped")]
            count = shared[1] if mode == "mean" else here("sqrt", shared[1], called="count_root")
            parts.append(_as(here, here("div", shared[0], count, called=mode), x.spec.dtype, mode))
    return parts[0] if len(parts) == 1 else here("concat", *parts, called="pooled", dim=-1)


def _token(here: Any, x: Value, index: Value, mode: str) -> Value:
    """Returns one token's row of each text, read by its place."""
    batch, _, width = x.spec.shape
    index = here("reshape", index, called=f"{mode}_index", shape=(batch, 1, 1))
    index = here("expand", index, called=f"{mode}_indices", shape=(batch, 1, width))
    row = here("gather", x, index, called=f"{mode}_row", dim=1)
    found: Value = here("reshape", row, called=mode, shape=(batch, width))
    return found


def _as(here: Any, x: Value, dtype: str, name: str) -> Value:
    found: Value = x if x.spec.dtype == dtype else here("cast", x, called=f"{name}_in_{dtype}", dtype=dtype)
    return found


def _dense(place: Replacement, x: Value, sizes: Sequence[int], act: str, how: Sequence[str], at: str) -> Value:
    inside, outside = sizes
    _check_width(x, inside, at, "in_features")
    dtype = x.spec.dtype
    weight = Parameter(f"{at}.linear.weight", TensorSpec((outside, inside), dtype))
    bias = () if "no_bias" in how else (Parameter(f"{at}.linear.bias", TensorSpec((outside,), dtype)),)
    y: Value = place.apply("linear", x, weight, *bias, name=f"{at}.linear")
    if ACTIVATIONS[act]:
        y = place.apply(ACTIVATIONS[act], y, name=f"{at}.activation_function")
    if "residual" in how:
        if inside != outside:
            more = Parameter(f"{at}.residual.weight", TensorSpec((outside, inside), dtype))
            x = place.apply("linear", x, more, name=f"{at}.residual")
        y = place.apply("add", y, x, name=f"{at}.sum")
    return y


def _normed(place: Replacement, x: Value, width: int, at: str) -> Value:
    _check_width(x, width, at, "dimension")
    spec = TensorSpec((width,), x.spec.dtype)
    own = (Parameter(f"{at}.norm.weight", spec), Parameter(f"{at}.norm.bias", spec))
    found: Value = place.apply("layer_norm", x, *own, name=f"{at}.norm")
    return found


def _normalized(place: Replacement, x: Value, at: str) -> Value:
    length = place.apply("vector_norm", x, name=f"{at}.length", dim=-1, keepdim=True)
    length = place.apply("clamp", length, name=f"{at}.length_clamped")
    whole = place.apply("expand", length, name=f"{at}.lengths", shape=x.spec.shape)
    found: Value = place.apply("div", x, whole, name=f"{at}.normalized")
    return found


def _check_width(x: Value, width: Dim, at: str, key: str) -> None:
    if differ(x.spec.shape[-1], width):
        raise ConfigError(f"{key} of module {at} is {width}, and what it reads is {x.spec.shape[-1]} wide")


SENTENCE = Transform(
    "sentence",
    "One embedding of each text, as sentence-transformers makes it of the tokens' (Reimers and Gurevych, 2019).",
    embedded,
    (Option("modules", tuple, ..., f"What follows the transformer, in order: {FORM}. Repeatable."),),
)
