"""Shared by families of decoders: the fields of their configurations, and the Architecture around a description."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs

from graphacct import (
    Architecture,
    Builder,
    ConfigError,
    Dim,
    Value,
    Workload,
    brief,
    exact_div,
    fields,
    frozen,
    has_value,
    same,
)
from graphacct_architectures.activations import activation
from graphacct_architectures.aliases import ALIASES
from graphacct_architectures.decoders.parts.decode import decode
from graphacct_architectures.decoders.parts.description.decoder import Decoder
from graphacct_architectures.decoders.parts.rope_settings import rope_parameters
from graphacct_architectures.heads import (
    CLASSES,
    HeadConfig,
    check_outputs,
    checked,
    class_losses,
    default_loss,
    headed,
)
from graphacct_architectures.losses import each_token

if TYPE_CHECKING:
    from graphacct_architectures.losses import Loss

MOST_LAYERS = 10_000
"""The most layers that may differ, since each is looked at; published models have about a hundred at most."""
FULL, SLIDING = "full_attention", "sliding_attention"


def fraction(default: float) -> Any:
    """Returns a key from 0 to 1."""
    return fields.checked_field(_fraction, default)


def _fraction(value: Any, field: attrs.Attribute[Any]) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ConfigError(f"{field.name} is a fraction from 0 to 1, not {brief(value)}")
    return value


def number(default: float | None) -> Any:
    """Returns a number that may be left out (None): a cap, a multiplier."""
    return fields.checked_field(_number, default, metadata=fields.OPTIONAL)


def _number(value: Any, field: attrs.Attribute[Any]) -> float | None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise ConfigError(f"{field.name} is a number, not {brief(value)}")
    return value


def layer_types() -> Any:
    """Returns the kind of attention of each layer, or None."""

    def check(value: Any, field: attrs.Attribute[Any]) -> tuple[str, ...] | None:
        if value is None:
            return None
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{field.name} is a list of kinds of attention, not {brief(value)}")
        for item in value:
            if item not in (FULL, SLIDING):
                raise ConfigError(f"{field.name} has {brief(item)}: the kinds are {FULL} and {SLIDING}")
        return tuple(value)

    return fields.checked_field(check, None)


@frozen(kw_only=True)
class DecoderConfig(HeadConfig):
    """The keys that most decoders have, under today's names, with the defaults of Llama's class."""

    vocab_size: Dim = fields.size(32000)
    hidden_size: Dim = fields.size(4096)
    intermediate_size: Dim = fields.size(11008)
    num_hidden_layers: Dim = fields.size(32)
    num_attention_heads: Dim = fields.size(32)
    num_key_value_heads: Dim | None = fields.optional_size()
    head_dim: Dim | None = fields.optional_size()
    hidden_act: str = activation("silu")
    max_position_embeddings: Dim = fields.size(2048)
    tie_word_embeddings: bool = fields.flag(False)
    attention_dropout: float = fields.probability(0.0)
    rope_parameters: Mapping[str, Any] = rope_parameters()
    dtype: str | None = fields.dtype()
    any_width: ClassVar[bool] = False
    """Whether the library's class runs where the heads do not divide the width: each is as wide as the whole part. It
    holds for the family that says so, and not for those made from it, whose classes may refuse."""

    @property
    def d_head(self) -> Dim:
        """The width of a head: as stated, or the model's width divided by the heads."""
        if self.head_dim is not None:
            return self.head_dim
        width, heads = self.hidden_size, self.num_attention_heads
        if vars(type(self)).get("any_width") and has_value(width) and has_value(heads) and 0 < heads <= width:
            return width // heads
        return width_over_heads(self)

    @property
    def kv_heads(self) -> Dim:
        """Heads of keys and values; as many as of queries unless given."""
        heads, shared = self.num_attention_heads, self.num_key_value_heads
        if shared is None:
            return heads
        exact_div(heads, shared, "num_attention_heads / num_key_value_heads")
        return shared


@frozen
class Decoding:
    """The function that builds a family's graph, which a model with this one inside takes apart.

    Attributes:
        name: The family's name.
        describe: Returns the description of a configuration's language model.
        classes: The endings of its classes.
        tokens, span, texts: As in `heads.headed`.
        stem: As in `heads.checked`.
    """

    name: str
    describe: Callable[[Any], Decoder]
    classes: tuple[str, ...] = CLASSES
    tokens: str = "score"
    span: str = ""
    stem: str = ""
    texts: str = "score"

    def __call__(self, config: Any, workload: Workload, b: Builder) -> Value | tuple[Value, ...]:
        """Returns the outputs of the class that the configuration names."""
        ending = checked(config, self.name, self.classes, self.stem)
        check_outputs(ending, config, workload)
        return decode(headed(self.describe(config), config, ending, self.tokens, self.span, self.texts), workload, b)


def decoder(
    name: str,
    config: type[Any],
    describe: Callable[[Any], Decoder],
    presets: Mapping[str, Any],
    *,
    doc: str,
    aliases: Mapping[str, str] | None = None,
    translated: Collection[str] = (),
    model_types: tuple[str, ...] = (),
    context: Callable[[Any], Dim] = lambda config: config.max_position_embeddings,
    attention: tuple[str, ...] = ("fused", "eager"),
    attention_by_phase: Mapping[str, str] | None = None,
    dtype: str = "bfloat16",
    classes: tuple[str, ...] = CLASSES,
    tokens: str = "score",
    span: str = "",
    stem: str = "",
    texts: str = "score",
    inexact: Callable[[Any, Workload, str], Sequence[str]] | None = None,
    no_cost: Mapping[str, tuple[Any, ...] | None] | None = None,
    token_loss: Loss = each_token,
) -> Architecture:
    """Returns the Architecture of a family of decoders: `describe` returns the description of a configuration's
    language model.

    `translated` are the aliases that win over the key when a file has both, `classes` the classes that the family has,
    `no_cost` the keys of its files that change no cost; `tokens`, `span` and `texts` are passed to `heads.headed`,
    `stem` to `heads.checked`. `token_loss` is the cross-entropy of the classifier of tokens, in float32 as in the
    library's generic class unless given. `inexact` is the Architecture's.
    """

    return Architecture(
        name,
        config,
        Decoding(name, describe, classes, tokens, span, stem, texts),
        presets,
        sizes={"seq_len": context},
        attention=attention,
        attention_by_phase=attention_by_phase or {},
        phases=("forward", "train", "prefill", "decode"),
        last_logits=True,
        dtype=dtype,
        aliases={**ALIASES, **(aliases or {})},
        translated=frozenset(translated),
        no_cost={"is_decoder": None, **(no_cost or {})},  # every class here is one
        losses=class_losses(token_loss),
        default_loss=default_loss,
        inexact=inexact,
        model_types=model_types or (name,),
        doc=doc,
    )


def written_out_alone(config: Any, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not exact of a family for which the library has no fused attention (transformers 5.24)."""
    if workload.attention != "fused":
        return ()
    return ("saved tensors with fused attention were not measured: the library's class has it written out alone",)


def tables_of_each(config: Any, workload: Workload, dtype: str) -> tuple[str, ...]:
    """Returns what is not exact of several sequences where the library has rotary tables for each (5.23)."""
    if same(workload.batch, 1):
        return ()
    return ("saved tensors of several sequences: the library's class has rotary tables for each, here they share them",)


def width_over_heads(config: Any) -> Dim:
    """Returns the width of a head in families whose classes have no `head_dim`."""
    return exact_div(config.hidden_size, config.num_attention_heads, "hidden_size / num_attention_heads")


def rotary_dims(config: Any, *, paired: bool = False) -> Dim:
    """Returns how many dimensions of a head are rotated, from `partial_rotary_factor` in the rotary settings or else in
    the configuration. It is rounded down, as in the transformers library, or if `paired`, up to an even number."""
    factor = config.rope_parameters.get("partial_rotary_factor")
    if factor is None:
        factor = config.partial_rotary_factor
    if isinstance(factor, bool) or not isinstance(factor, (int, float)) or not 0 <= factor <= 1:
        raise ConfigError(f"rope_parameters.partial_rotary_factor is a fraction from 0 to 1, not {brief(factor)}")
    return _share(config.d_head, factor, paired)


def rotary_dims_of(config: Any, kind: str, usual: float | None = None) -> Dim:
    """Returns how many dimensions of a head are rotated in layers of one kind, from the rotary settings of that kind,
    or else `usual` or all."""
    settings = config.rope_parameters.get(kind) or {}
    factor = settings.get("partial_rotary_factor", 1.0 if usual is None else usual)
    return config.d_head if factor == 1 else _share(config.d_head, factor, False)


def _share(width: Dim, factor: float, paired: bool) -> Dim:
    """Returns a fraction of a head's dimensions."""
    if has_value(width):
        count = int(width * factor)
        return count + count % 2 if paired else count
    from fractions import Fraction  # imported here, because a count of dimensions does not need it

    ratio = Fraction(factor).limit_denominator(1024)
    return exact_div(width * ratio.numerator, ratio.denominator, "dimensions of a head that are rotated")


def kinds_of_attention(config: Any, usual: Callable[[int], str]) -> tuple[str, ...]:
    """Returns the kind of each layer's attention: from `layer_types`, or else `usual(index)`."""
    count = whole(config.num_hidden_layers, "num_hidden_layers")
    given = config.layer_types
    if given is not None and len(given) != count:
        raise disagreeing(len(given), count)
    kinds = tuple(usual(index) for index in range(count)) if given is None else given
    if SLIDING in kinds and config.sliding_window is None:
        raise ConfigError(f"layer {kinds.index(SLIDING)} has {SLIDING}, but sliding_window is not there")
    return kinds


def disagreeing(listed: int, count: int) -> ConfigError:
    """Returns the error for a list of kinds whose length is not the number of layers."""
    return ConfigError(f"layer_types names {listed} layers, num_hidden_layers is {count}: they have to agree")


def whole(count: Dim, key: str) -> int:
    """Returns a number of layers as an int, which layers that differ need. Raises ConfigError, which names its key, for
    a symbol or a number above MOST_LAYERS."""
    if type(count) is not int or count > MOST_LAYERS:
        raise ConfigError(f"{key} is {count}: give a number up to {MOST_LAYERS:,}, the layers of this model differ")
    return count
