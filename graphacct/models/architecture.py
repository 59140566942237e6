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
from graphacct.models.inner_keys import inner
from graphacct.models.keys import account, filled, without_default
from graphacct.models.metadata import SIZE, WITHIN
from graphacct.models.sub_model import SubModel
from graphacct.models.workload import (
    LOGITS,
    SECONDS,
    SIZES,
    Workload,
    checked_cache_dtype,
    checked_size,
    decoding_sizes,
    in_seconds,
    one_of,
)
from graphacct.phases import PHASES, TRAIN

ABSORBED = "absorbed"


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
        prepare: Rewrites the keys of a file of an older form in those of today: `prepare(content)`.
        per_second: The size of a sound that `audio_seconds` stands for, `samples` or `frames`, with a function from a
            configuration to how many there are in a second.
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
        placeholders: Returns how many tokens of a sequence stand for images or sounds, which it cannot be shorter than:
            `placeholders(config, workload, operators)`. None if no token does.
        model_types: The `model_type`s of config.json files that it reads.
        stated: Returns what else the header of reports says of the inputs, by name: `stated(config, workload)`.
        inner_classes: Classes of one of the models inside it alone, each with the key of that model's object: a file
            that names such a class is read as that object's.
        parts_left_out: Keys of parts of a model that are not counted, such as what speaks, and what each describes:
            reports say so.
        lacks: Why it has no such size of the workload, and what to give instead: half a sentence for each size, which
            the error ends with.
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
    per_second: Mapping[str, Callable[[Any], Any]] = attrs.field(factory=dict)
    prepare: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None
    placeholders: Callable[[Any, Workload, Mapping[str, Any]], Dim] | None = None
    stated: Callable[[Any, Workload], Mapping[str, Any]] | None = None
    inner_classes: Mapping[str, str] = attrs.field(factory=dict)
    parts_left_out: Mapping[str, str] = attrs.field(factory=dict)
    lacks: Mapping[str, str] = attrs.field(factory=dict)
    _configured: dict[str, Any] = attrs.field(factory=dict, init=False)
    _keys: dict[str, ConfigKeys] = attrs.field(factory=dict, init=False)

    def __repr__(self) -> str:
        return f"<Architecture {self.name}>"

    def load(self) -> Architecture:
        """Returns this architecture; a LazyArchitecture imports its module here."""
        return self

    @property
    def needed(self) -> list[str]:
        """The keys without a default: only a preset or a file has them."""
        return without_default(self.config)

    def configured(self, content: Mapping[str, Any]) -> Any:
        """Returns the configuration that the keys of a config.json describe."""
        content = content if self.prepare is None else self.prepare(content)
        return filled(self.config, content, self.aliases, self.translated)

    def keys(self, content: Mapping[str, Any], *, defaults: bool = False) -> ConfigKeys:
        """Returns what becomes of the keys of a config.json that the configuration does not take.

        Raises ReadError for one that changes the cost or stands for a size, and unless `defaults` for a content of
        which no size is read.
        """
        content = content if self.prepare is None else self.prepare(content)
        return account(self.config, content, self.name, self.aliases, self.no_cost, defaults, self.parts_left_out)

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

    def unknown(self, path: str, content: Mapping[str, Any]) -> bool:
        """Returns whether no nested configuration takes a key of a file's content, given by its path, and it is no
        setting."""
        outer, _, key = path.partition(".")
        fields = {field.name: field.metadata for field in attrs.fields(self.config)}
        within = inner(fields.get(self.aliases.get(outer, outer), {}), content[outer], outer)
        return within is not None and within.aliases.get(key, key) not in {
            field.name for field in attrs.fields(within.config)
        }

    def preset_keys(self, name: str) -> ConfigKeys:
        """Returns what becomes of the keys of a preset's file that the configuration does not take."""
        if name not in self._keys:
            found = self.presets[name]
            self._keys[name] = NO_KEYS if isinstance(found, self.config) else self.keys(found, defaults=True)
        return self._keys[name]

    def configure(self, config: Any, overrides: Mapping[str, Any]) -> Any:
        """Returns `config` with some keys set. Raises ConfigError for an unknown key, with the closest known one."""
        if not overrides:
            return config
        keys = {field.name: field for field in attrs.fields(self.config)}
        changes: dict[str, Any] = {}
        for key, value in overrides.items():
            outer, _, rest = key.partition(".")
            name = self.aliases.get(outer, outer)
            if name not in keys:
                raise self._no_key(key, keys)
            if rest:
                kind = keys[name].metadata.get(WITHIN)
                value = _within(kind, changes.get(name, getattr(config, name)), key, rest, value)
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
        timed = self._timed(config, workload)
        for size in SIZES:
            given = timed.get(size, getattr(workload, size))
            if size in self.sizes:
                wanted = self.sizes[size](config) if given is None else given
                full[size] = None if wanted is None else checked_size(wanted, size)
            elif given is not None:
                raise self._no_size(size)
        for name, known in (("phase", PHASES), ("logits", LOGITS)):
            full[name] = one_of(known, getattr(workload, name), name)
        if full["phase"] not in self.phases:
            raise ConfigError(f"{self.name} has no phase {full['phase']!r}: it has {', '.join(self.phases)}")
        full["loss"] = self._loss(config, workload.loss, full["phase"])
        if full["logits"] == "last":
            self._last_logits(full["phase"])
        full |= decoding_sizes(workload, full["phase"], full.get("seq_len"))
        full["kv_dtype"] = checked_cache_dtype(workload.kv_dtype, full["phase"])
        filled = Workload(**full)
        if "encoder_seq_len" in self.sizes and filled.encoder_seq_len is None:
            return attrs.evolve(filled, encoder_seq_len=filled.positions)
        return filled

    def _timed(self, config: Any, workload: Workload) -> dict[str, Dim]:
        """Returns the size that `audio_seconds` stands for. Raises ConfigError if it is given too, or if there is
        none."""
        if workload.audio_seconds is None:
            return {}
        if not self.per_second:
            raise self._no_size(SECONDS)
        ((size, rate),) = self.per_second.items()
        if getattr(workload, size) is not None:
            raise ConfigError(
                f"{SECONDS} {workload.audio_seconds} and {size} {getattr(workload, size)} both say how long a sound "
                "is: leave one out"
            )
        return {size: in_seconds(workload.audio_seconds, rate(config), size)}

    def _no_size(self, size: str) -> ConfigError:
        """Returns the error for a size that the workload does not have."""
        takes = ", ".join(["batch", *self.sizes, *([SECONDS] if self.per_second else [])])
        why = self.lacks.get(size)
        if why is None and size == "frames" and "images" in self.sizes:
            why = "it takes no films, so give their frames as images"
        if why is None and size == "images" and "image_size" in self.sizes:
            why = "batch= counts its images"
        return ConfigError(f"{self.name} has no {size}: its workload is {takes}{f'; {why}' if why else ''}")

    def _last_logits(self, phase: str) -> None:
        """Raises ConfigError if the logits of the last position alone are not enough or cannot be computed."""
        if not self.last_logits:
            raise ConfigError(f"{self.name} computes no logits of single positions: leave logits='last' out")
        if phase == TRAIN:
            raise ConfigError("a training step needs the logits of all positions: leave logits='last' out")

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
        return one_of(tuple(self.losses), wanted, "loss")

    def graph(self, name: str, config: Any, workload: Workload, operators: Mapping[str, Any], dtype: str) -> Graph:
        """Returns the graph of one configuration on one workload."""
        full = self.workload(config, workload)
        try:
            stated = self.stated(config, full) if self.stated is not None else {}
            builder = Builder(name, operators, dtype, {**full.entries(self.sizes, dtype), **stated})
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


def _within(kind: type[Any] | None, config: Any, key: str, own: str, value: Any) -> Any:
    """Returns a nested configuration, of the class `kind`, or an object of settings, with one of its keys set."""
    if kind is None and isinstance(config, Mapping):  # settings, which their field checks
        return {**config, own: value}
    if isinstance(config, SubModel):
        try:
            return attrs.evolve(config, config=config.architecture.configure(config.config, {own: value}))
        except ConfigError as error:
            raise ConfigError(f"in {key.partition('.')[0]}: {error}") from error
    known = [] if kind is None else [field.name for field in attrs.fields(kind)]
    if kind is None or own not in known:
        raise ConfigError(f"there is no configuration key {key!r}{suggest(own, known)}")
    return attrs.evolve(kind() if config is None else config, **{own: value})
