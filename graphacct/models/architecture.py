"""An architecture: a configuration class, presets, and the function that builds the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from graphacct.dims import Dim, check_dim
from graphacct.errors import ConfigError, GraphacctError, PluginError, failure, suggest
from graphacct.graph.builder import Builder
from graphacct.graph.config_keys import NO_KEYS, ConfigKeys
from graphacct.graph.graph import Graph, Value
from graphacct.keywords import DEFAULTS
from graphacct.models.keys import account, filled
from graphacct.models.metadata import SIZE, WITHIN
from graphacct.phases import CACHING, DECODE, PHASES, PREFILL, TRAIN
from graphacct.tensors import cache_dtype

SIZES = ("seq_len", "encoder_seq_len", "image_size")
LOGITS = ("all", "last")
ABSORBED = "absorbed"


@attrs.frozen(eq=False)
class Workload:
    """The inputs that a graph is built for: sizes, kind of attention, phase and loss.

    Attributes:
        batch: Sequences or images at a time.
        seq_len: Tokens per sequence (of the decoder, if there is an encoder); None takes the architecture's default.
        encoder_seq_len: Tokens per sequence in the encoder; None takes as many as the decoder has positions.
        image_size: Height and width of the images in pixels; None takes the architecture's default.
        attention: `eager` (separate nodes for scores, softmax and values), `fused` (one
            scaled_dot_product_attention) or, of models with latent attention, `absorbed` (all heads read the cached
            latents, which are not expanded); None takes the architecture's default for the phase.
        phase: `forward` (no dropout, no cache), `train` (a training step), `prefill` (a forward pass that fills a cache
            with keys and values) or `decode` (one new token per sequence, with a cache of earlier tokens).
        cache_len: In decoding, the tokens in the cache before the step; None takes `seq_len` - 1; 0 is an empty cache.
        loss: In training, the name of the loss that the gradients start from; None takes the architecture's default.
        logits: The positions whose logits a language model computes: `all`, or the `last` of each sequence, which is
            enough for a prefill.
        kv_dtype: The dtype of the cache of keys and values, in which they enter it and attention reads them; None takes
            the one that they are computed in.
    """

    batch: Dim = DEFAULTS["batch"]
    seq_len: Dim | None = None
    encoder_seq_len: Dim | None = None
    image_size: tuple[Dim, Dim] | None = None
    attention: str | None = None
    phase: str = DEFAULTS["phase"]
    cache_len: Dim | None = None
    loss: str | None = None
    logits: str = DEFAULTS["logits"]
    kv_dtype: str | None = None

    @property
    def positions(self) -> Dim:
        """How many positions attention sees: the cached ones and the new ones."""
        new: Dim = 0 if self.seq_len is None else self.seq_len
        return new if self.cache_len is None else self.cache_len + new


def _phases(architecture: Architecture) -> tuple[str, ...]:
    return ("forward", "train") if architecture.losses else ("forward",)


@attrs.frozen(eq=False, repr=False)
class Architecture:
    """A family of models.

    Attributes:
        name: What users call it.
        config: The attrs class of its configuration.
        build: Adds the model's nodes to a Builder and returns its outputs: `build(config, workload, builder)`.
        presets: Published configurations by name: instances of `config`, or the keys of a config.json.
        sizes: The workload's sizes that it takes besides the batch, each with a function from a configuration to the
            default. A default of None for `encoder_seq_len` means as long as the decoder's.
        attention: The kinds of attention that it can be built with, the default first; empty for a model without
            attention.
        attention_by_phase: The default in single phases, where it is another than the first.
        phases: The phases that it can be built for; unless given, `forward`, and `train` if there are losses.
        last_logits: Whether it can compute the logits of the last position alone.
        dtype: The parameters' default dtype: that of the published weights, or else bfloat16, in which models run
            today.
        aliases: Older spellings of configuration keys, and the key that each stands for.
        translated: Aliases that win over the key when a file has both (transformers applies its `attribute_map` last).
        no_cost: Keys of its files that change no cost, each with the values at which it changes none (None: any value).
            The keys that many families have, such as `initializer_range`, are known.
        losses: The losses of a training step, by the names that users give, the default first. `loss(config, outputs,
            builder)` adds the loss's nodes and returns its scalar.
        default_loss: Returns the name of a configuration's default loss: a model without a head has no logits for a
            cross-entropy. The first of `losses` unless given.
        inexact: Returns what of the tensors that a training step saves is known not to equal the published model's, a
            sentence each, which reports say: `inexact(config, workload, dtype)`.
        model_types: The `model_type`s of config.json files that it reads.
        doc: One sentence.
        replaces: Whether it replaces another plugin's architecture of the same name.
    """

    name: str
    config: type[Any]
    build: Callable[[Any, Workload, Builder], Any]
    presets: Mapping[str, Any]
    sizes: Mapping[str, Callable[[Any], Any]]
    attention: tuple[str, ...] = ()
    attention_by_phase: Mapping[str, str] = attrs.field(factory=dict)
    last_logits: bool = False
    dtype: str = "bfloat16"
    aliases: Mapping[str, str] = attrs.field(factory=dict)
    translated: frozenset[str] = frozenset()
    no_cost: Mapping[str, tuple[Any, ...] | None] = attrs.field(factory=dict)
    losses: Mapping[str, Callable[[Any, tuple[Value, ...], Builder], Value]] = attrs.field(factory=dict)
    default_loss: Callable[[Any], str] | None = None
    inexact: Callable[[Any, Workload, str], Sequence[str]] | None = None
    phases: tuple[str, ...] = attrs.field(default=attrs.Factory(_phases, takes_self=True))
    model_types: tuple[str, ...] = ()
    doc: str = ""
    replaces: bool = False
    _configured: dict[str, Any] = attrs.field(factory=dict, init=False)

    def __repr__(self) -> str:
        return f"<Architecture {self.name}>"

    def load(self) -> Architecture:
        """Returns this architecture; a LazyArchitecture imports its module here."""
        return self

    def configured(self, content: Mapping[str, Any]) -> Any:
        """Returns the configuration that the keys of a config.json describe."""
        return filled(self.config, content, self.aliases, self.translated)

    def keys(self, content: Mapping[str, Any], *, defaults: bool = False) -> ConfigKeys:
        """Returns what becomes of the keys of a config.json that the configuration does not take.

        Raises ReadError for one that changes the cost or stands for a size, and unless `defaults` for a content of
        which no size is read.
        """
        return account(self.config, content, self.name, self.aliases, self.no_cost, defaults)

    def preset(self, name: str) -> Any:
        """Returns the published configuration `name`, which is made once. Errors in its keys name the preset."""
        known = self._configured.get(name)
        if known is not None:
            return known
        found = self.presets[name]
        if not isinstance(found, self.config):
            try:
                found = self.configured(found)
            except GraphacctError as error:
                raise type(error)(f"preset {name!r}: {error}") from error
        self._configured[name] = found
        return found

    def unknown(self, path: str) -> bool:
        """Returns whether no nested configuration takes a key, given by its path, and it is no setting."""
        outer, _, inner = path.partition(".")
        fields = {field.name: field.metadata for field in attrs.fields(self.config)}
        within = fields.get(self.aliases.get(outer, outer), {}).get(WITHIN)
        return within is not None and inner not in {field.name for field in attrs.fields(within)}

    def preset_keys(self, name: str) -> ConfigKeys:
        """Returns what becomes of the keys of a preset's file that the configuration does not take."""
        found = self.presets[name]
        return NO_KEYS if isinstance(found, self.config) else self.keys(found, defaults=True)

    def configure(self, config: Any, overrides: Mapping[str, Any]) -> Any:
        """Returns `config` with some keys set. Raises ConfigError for an unknown key, with the closest known one."""
        if not overrides:
            return config
        keys = {field.name: field for field in attrs.fields(self.config)}
        changes: dict[str, Any] = {}
        for key, value in overrides.items():
            outer, _, inner = key.partition(".")
            name = self.aliases.get(outer, outer)
            if name not in keys:
                raise self._no_key(key, keys)
            if inner:
                kind = keys[name].metadata.get(WITHIN)
                value = _within(kind, changes.get(name, getattr(config, name)), key, inner, value)
            changes[name] = value
        return attrs.evolve(config, **changes)

    def _no_key(self, key: str, keys: Mapping[str, Any]) -> ConfigError:
        """Returns the error for a key that the configuration does not take."""
        from graphacct.models.known_keys import changes_no_cost
        from graphacct.models.near_keys import stands_for

        if changes_no_cost(key, None, self.no_cost) is not None:
            return ConfigError(f"{self.name} has no configuration key {key!r}: it changes no cost, leave it out")
        sizes = [name for name, field in keys.items() if SIZE in field.metadata]
        near = stands_for(key, sizes)
        hint = f"; did you mean {near!r}?" if near else suggest(key, keys)
        return ConfigError(f"{self.name} has no configuration key {key!r}{hint}")

    def workload(self, config: Any, workload: Workload) -> Workload:
        """Returns `workload` with this architecture's defaults filled in. Raises ConfigError for a size that does not
        fit."""
        full: dict[str, Any] = {
            "batch": check_dim(workload.batch, "batch"),
            "attention": self._attention(workload.attention, workload.phase),
        }
        for size in SIZES:
            given = getattr(workload, size)
            if size in self.sizes:
                wanted = self.sizes[size](config) if given is None else given
                full[size] = None if wanted is None else _checked(wanted, size)
            elif given is not None:
                takes = ", ".join(["batch", *self.sizes])
                raise ConfigError(f"{self.name} has no {size}: its workload is {takes}")
        for name, known in (("phase", PHASES), ("logits", LOGITS)):
            full[name] = _one_of(known, getattr(workload, name), name)
        if full["phase"] not in self.phases:
            raise ConfigError(f"{self.name} has no phase {full['phase']!r}: it has {', '.join(self.phases)}")
        full["loss"] = self._loss(config, workload.loss, full["phase"])
        if full["logits"] == "last":
            self._last_logits(full["phase"])
        self._decoding(workload, full)
        full["kv_dtype"] = _cache_dtype(workload.kv_dtype, full["phase"])
        filled = Workload(**full)
        if "encoder_seq_len" in self.sizes and filled.encoder_seq_len is None:
            return attrs.evolve(filled, encoder_seq_len=filled.positions)
        return filled

    def _last_logits(self, phase: str) -> None:
        """Raises ConfigError if the logits of the last position alone are not enough or cannot be computed."""
        if not self.last_logits:
            raise ConfigError(f"{self.name} computes no logits of single positions: leave logits='last' out")
        if phase == TRAIN:
            raise ConfigError("a training step needs the logits of all positions: leave logits='last' out")

    def _decoding(self, workload: Workload, full: dict[str, Any]) -> None:
        """Fills in the sizes of a decoding step."""
        if full["phase"] != DECODE:
            if workload.cache_len is not None:
                raise ConfigError('cache_len is the size of a decoding step: add phase="decode"')
            return
        given = workload.seq_len
        if workload.cache_len is not None and type(given) is int and given != 1:
            raise ConfigError(
                f"a decoding step has one new token, and seq_len {given} and cache_len {workload.cache_len} both say "
                "how many are before it: leave seq_len out (or cache_len: then seq_len counts those and the new one)"
            )
        length = full["seq_len"] - 1 if workload.cache_len is None else workload.cache_len
        full |= {"seq_len": 1, "cache_len": check_dim(length, "cache_len", 0)}

    def _attention(self, wanted: str | None, phase: str) -> str | None:
        if wanted is None:
            return self.attention_by_phase.get(phase, self.attention[0]) if self.attention else None
        if wanted not in self.attention:
            *first, last = self.attention or ("",)
            kinds = f"{', '.join(first)} or {last}" if first else last
            has = f"attention is {kinds}, not {wanted!r}" if kinds else f"has no attention to be {wanted!r}"
            why = "; absorbed is for latent attention, which it does not have" if wanted == ABSORBED else ""
            raise ConfigError(f"{self.name}: {has}{why}")
        return wanted

    def _loss(self, config: Any, wanted: str | None, phase: str) -> str | None:
        """Returns the name of the loss, None outside training. Raises ConfigError for one that the architecture does
        not have, or outside training."""
        if not self.losses and (phase == TRAIN or wanted is not None):
            raise ConfigError(f"{self.name} declares no losses, of which a training step starts its gradients from one")
        if phase != TRAIN:
            if wanted is not None:
                raise ConfigError(
                    f'loss {wanted!r} is what a training step starts its gradients from: add phase="train"'
                )
            return None
        if wanted is None:
            wanted = next(iter(self.losses)) if self.default_loss is None else self.default_loss(config)
        return _one_of(tuple(self.losses), wanted, "loss")

    def graph(self, name: str, config: Any, workload: Workload, operators: Mapping[str, Any], dtype: str) -> Graph:
        """Returns the graph of one configuration on one workload."""
        full = self.workload(config, workload)
        sizes = {"batch": full.batch, **{size: getattr(full, size) for size in self.sizes}}
        kind = {"attention": full.attention} if full.attention else {}
        step: dict[str, Any] = {"phase": full.phase, "loss": full.loss} if full.phase == TRAIN else {}
        if full.phase == PREFILL:
            step = {"phase": full.phase}
        elif full.phase == DECODE:
            step = {"phase": full.phase, "cache_len": full.cache_len}
        if full.logits != "all":
            step["logits"] = full.logits
        last = {"dtype": dtype, **({"kv_dtype": full.kv_dtype} if full.kv_dtype else {})}
        builder = Builder(name, operators, dtype, {**sizes, **kind, **step, **last})
        try:
            result = self.build(config, full, builder)
            outputs = result if isinstance(result, tuple) else (result,)
            if full.phase == TRAIN:
                assert full.loss is not None
                outputs = (self.losses[full.loss](config, outputs, builder), *outputs)
        except GraphacctError:
            raise
        except Exception as error:
            raise PluginError(failure(f"architecture {self.name!r}", error)) from error
        known = self.inexact(config, full, dtype) if full.phase == TRAIN and self.inexact is not None else ()
        return attrs.evolve(builder.graph(*outputs), inexact=tuple(known)) if known else builder.graph(*outputs)


def _cache_dtype(wanted: str | None, phase: str) -> str | None:
    """Returns the dtype of the cache. Raises ConfigError if it is none, and in a phase without a cache."""
    if wanted is None:
        return None
    if phase not in CACHING:
        raise ConfigError('kv_dtype is of a cache: add phase="prefill" or phase="decode"')
    return cache_dtype(wanted)


def _one_of(known: tuple[str, ...], value: str, name: str) -> str:
    if value not in known:
        raise ConfigError(f"{name} is {' or '.join(known)}, not {value!r}{suggest(value, known)}")
    return value


def _checked(value: Any, subject: str) -> Any:
    if subject == "image_size":
        pair = value if isinstance(value, (tuple, list)) else (value, value)
        if len(pair) != 2:
            raise ConfigError(f"image_size is a height and a width, not {value!r}")
        return tuple(check_dim(side, subject) for side in pair)
    return check_dim(value, subject)


def _within(kind: type[Any] | None, config: Any, key: str, inner: str, value: Any) -> Any:
    """Returns a nested configuration, of the class `kind`, or an object of settings, with one of its keys set."""
    if kind is None and isinstance(config, Mapping):  # settings, which their field checks
        return {**config, inner: value}
    known = [] if kind is None else [field.name for field in attrs.fields(kind)]
    if kind is None or inner not in known:
        raise ConfigError(f"there is no configuration key {key!r}{suggest(inner, known)}")
    return attrs.evolve(kind() if config is None else config, **{inner: value})
