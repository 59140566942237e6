"""A whole generation: a prompt and its new tokens, as the graphs of a prefill and of decoding steps.

The prefill runs the prompt's P tokens and computes the logits of the last one, from which the first new token comes.
Each further token is a decoding step on the tokens before it: the second on a cache of P tokens, the last of N on P + N
- 2, which leaves P + N - 1 in the cache. The last token is never run itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from graphacct.dims import check_dim
from graphacct.errors import ConfigError
from graphacct.graph.graph import Graph
from graphacct.hooks.manager import Plugins
from graphacct.models.build import build
from graphacct.models.find import ModelChoice
from graphacct.models.finished import in_phase
from graphacct.models.read_choice import ReadChoice
from graphacct.phases import DECODE, GENERATE, GENERATION_SIZES, PREFILL

INSTEAD = ("seq_len", "cache_len")
"""Sizes of a single step, which a generation has not."""
ENCODER = "encoder_seq_len"
"""The prompt's length unless given."""


@attrs.frozen(eq=False)
class Generation:
    """A model, and the prompt and new tokens that it is asked for.

    Attributes:
        found: The model.
        prompt_len: Tokens of each sequence's prompt.
        new_tokens: Tokens that each sequence gets.
        options: The other options of `build`.
        plugins: Those in use.
    """

    found: ModelChoice
    prompt_len: int
    new_tokens: int
    options: Mapping[str, Any]
    plugins: Plugins

    @property
    def first(self) -> int:
        """The tokens in the cache of the first decoding step."""
        return self.prompt_len

    @property
    def last(self) -> int:
        """Those in the cache of the last one; fewer than `first` if there is none."""
        return self.prompt_len + self.new_tokens - 2

    def prefill(self) -> Graph:
        """Returns the graph of the prompt: with the last position's logits, if the model has logits and none are asked
        for. A length that the model does not have is refused with that of the whole generation."""
        try:
            return self._prefill()
        except ConfigError:
            if self.first <= self.last:
                step = {**self.options, "cache_len": self.last}
                if ENCODER in self.found.architecture.sizes and step.get(ENCODER) is None:
                    step[ENCODER] = self.prompt_len
                self._build_step(step)
            raise

    def _prefill(self) -> Graph:
        asked = {**self.options, "phase": PREFILL, "seq_len": self.prompt_len}
        if asked.get("logits") is None and self.found.architecture.last_logits:
            try:
                return build(self.found, plugins=self.plugins, **{**asked, "logits": "last"})
            except ConfigError:  # a class without logits, unless the next call fails too
                pass
        return build(self.found, plugins=self.plugins, **asked)

    def prefill_options(self, prefill: Graph) -> dict[str, Any]:
        """Returns the options that `build` takes for a prefill that was built."""
        logits = {"logits": prefill.workload["logits"]} if "logits" in prefill.workload else {}
        return {**self.options, **logits, "phase": PREFILL, "seq_len": self.prompt_len}

    def step_options(self, cached: int, beside: Graph) -> dict[str, Any]:
        """Returns the options that `build` takes for a decoding step on so many cached tokens; an encoder is as long as
        in the prefill `beside` it."""
        options = {name: value for name, value in self.options.items() if name != "logits"}
        length = beside.workload.get(ENCODER)
        if length is not None:
            options[ENCODER] = length
        return {**options, "phase": DECODE, "cache_len": cached}

    def step(self, cached: int, beside: Graph) -> Graph:
        """Returns the graph of a decoding step. A length that the model does not have is refused with that of the last
        step, which is what a user has to make room for."""
        try:
            return self._build_step(self.step_options(cached, beside))
        except ConfigError:
            if cached < self.last:
                self._build_step(self.step_options(self.last, beside))
            raise

    def _build_step(self, options: Mapping[str, Any]) -> Graph:
        options = {name: value for name, value in options.items() if name != "logits"}
        return build(self.found, plugins=self.plugins, **{**options, "phase": DECODE})

    def workload(self, prefill: Graph, step: Graph | None) -> dict[str, Any]:
        """Returns what a report says that it is of: the prefill's sizes with those of the generation."""
        found: dict[str, Any] = {}
        for name, value in prefill.workload.items():
            if name == "seq_len":
                found |= {"prompt_len": self.prompt_len, "new_tokens": self.new_tokens}
            elif name == "phase":
                found[name] = GENERATE
            elif name != "logits" or self.options.get("logits") is not None:
                found[name] = value
        kind = None if step is None else step.workload.get("attention")
        if kind != prefill.workload.get("attention") and kind is not None:
            found["attention"] = f"{found['attention']}, then {kind}"
        return found


def generation(found: Graph | ModelChoice | ReadChoice, options: Mapping[str, Any], plugins: Plugins) -> Generation:
    """Returns the generation that a call asks for. Raises ConfigError for a size that is not there, is no number or is
    that of a single step, and for a model that cannot decode."""
    if isinstance(found, Graph):
        in_phase(found, GENERATE)
    if not isinstance(found, ModelChoice):
        raise ConfigError(f"{found.name!r} has no phase {GENERATE!r}: it runs once, on the inputs that it is given")
    phases = found.architecture.phases
    if PREFILL not in phases or DECODE not in phases:
        raise ConfigError(f"{found.name!r} has no phase {GENERATE!r}: it has {', '.join(phases)}")
    others = {name: value for name, value in options.items() if name not in (*GENERATION_SIZES, "phase")}
    wrong = [name for name in INSTEAD if others.get(name) is not None]
    if wrong:
        raise ConfigError(
            f"{' and '.join(wrong)}: of a single step; a generation has prompt_len= and new_tokens= in place of it"
        )
    missing = [f"{name}=" for name in GENERATION_SIZES if options.get(name) is None]
    if missing:
        raise ConfigError(
            f"phase={GENERATE!r} needs {' and '.join(missing)}: the tokens of the prompt, and those that are generated"
        )
    prompt, new = (_count(options[name], name) for name in GENERATION_SIZES)
    return Generation(found, prompt, new, others, plugins)


def _count(value: Any, name: str) -> int:
    count = check_dim(value, name)
    if type(count) is not int:
        raise ConfigError(f"{name} is {count}: a generation adds up whole steps, so give a number")
    return count
