"""Which device: what is said of each is what `memory` gives, at the sizes and options that it names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sympy

import graphacct
from graphacct import Device, memory
from graphacct.errors import ConfigError
from graphacct.footprint import memory as measured
from graphacct.footprint.fits import largest
from graphacct.hooks.manager import default

MB = 10**6
SIZES = {"n_layer": 2, "n_embd": 64, "n_head": 4, "vocab_size": 500}
SMALL: dict[str, Any] = {"set": SIZES, "seq_len": 256, "batch": 4}
BOXES = [Device(f"box-{size}", size * MB) for size in (3, 10, 40, 160)]


def test_each_device_is_answered_as_fits_answers() -> None:
    """Total, headroom, and the two largest sizes, each found by its own search too."""
    found = memory("gpt2", on=BOXES, **SMALL)
    alone = memory("gpt2", **SMALL)
    assert found.total == alone.total
    assert [item.device for item in found.devices] == BOXES
    for item in found.devices:
        budget = item.device.memory_bytes
        assert (item.capacity, item.fits, item.headroom_bytes) == (budget, alone.total <= budget, budget - alone.total)
        for option, size in (("batch", item.largest_batch), ("seq_len", item.longest_seq_len)):
            if size == 0:
                assert memory("gpt2", **{**SMALL, option: 1}).total > budget
            else:
                best = largest(lambda n, name=option: memory("gpt2", **{**SMALL, name: n}), budget, option)
                assert best.size == size
    limits = [item.seq_len_limit for item in found.devices]
    assert "beyond n_positions 1024" in limits[-1]
    assert found.devices[-1].longest_seq_len == 1024
    assert not any(item.batch_limit for item in found.devices)


def test_the_ways_out_are_computed() -> None:
    """Each total is that of `memory` with the options; a device on which the model fits has none."""
    found = memory("gpt2", on=BOXES, **SMALL)
    least, *_, most = found.devices
    assert not least.fits
    assert most.fits
    assert most.ways_out == ()
    ways = [dict(way.options) for way in least.ways_out]
    assert {"recompute": "full"} in ways
    assert {"optimizer": "adamw-8bit"} in ways
    assert {"dtype": "bf16"} in ways
    assert {"dp": 8, "zero": 3} in ways
    assert not any("master" in way for way in ways)  # parameters in float32 have no copy
    assert {"lora": ["16:all-linear"]} in ways
    assert {"recompute": "full", "lora": ["16:all-linear"]} in ways
    for way in least.ways_out:
        assert way.total == memory("gpt2", **{**SMALL, **way.options}).total < found.total
        assert (way.fits, way.headroom_bytes) == (way.total <= least.capacity, least.capacity - way.total)


def test_parameters_without_their_copy_are_a_way_out() -> None:
    """16 bits are trained with a float32 copy unless that is left out; who asks for the copy is not told to."""
    asked = {**SMALL, "dtype": "bf16"}
    ways = [dict(way.options) for way in memory("gpt2", on=Device("box", MB), **asked).devices[0].ways_out]
    assert {"master": "none"} in ways
    assert {"optimizer": "adamw-8bit", "master": "none"} in ways
    assert {"recompute": "full", "master": "none"} in ways
    ways = memory("gpt2", on=Device("box", MB), master="fp32", **asked).devices[0].ways_out
    assert not [way for way in ways if "master" in way.options]


def test_the_fewest_devices_that_have_the_bytes() -> None:
    """Of a phase without a backward pass: a line below the ways out. Training has ways with ranks."""
    found = memory("gpt2", on=Device("box", MB), phase="decode", **SMALL)
    least = found.devices[0].at_least
    assert (least - 1) * MB < found.total <= least * MB
    assert f"all as asked, at least {least} devices have " in str(found)
    assert "at least" not in str(memory("gpt2", on=Device("box", MB), **SMALL))
    assert "at least" not in str(memory("gpt2", on=Device("box", 10**12), phase="decode", **SMALL))


def test_options_that_were_asked_for_are_no_way_out() -> None:
    """Recomputed, in 16 bits, with adapters beside a quantised base, divided by two ranks: sizes are left."""
    asked = {"recompute": "full", "dtype": "bf16", "lora": ["8:all-linear"], "weights": "nf4", "dp": 2, "zero": 3}
    found = memory("gpt2", on=Device("box", MB), **SMALL, **asked, optimizer="adamw-8bit")
    assert {name for way in found.devices[0].ways_out for name in way.options} <= {"batch", "seq_len"}


@pytest.mark.parametrize("phase", ["forward", "prefill", "decode"])
def test_inference(phase: str) -> None:
    """No training option is a way out; a longest sequence in decoding counts those in the cache."""
    sizes = {**SMALL, "phase": phase}
    found = memory("gpt2", on=[Device("box", MB // 2), Device("large", 40 * MB)], **sizes)
    small, large = found.devices
    assert not {"recompute", "optimizer", "zero", "lora"} & {name for way in small.ways_out for name in way.options}
    assert large.longest_seq_len == 1024
    assert large.largest_batch
    assert memory("gpt2", **{**sizes, "batch": large.largest_batch}).total <= 40 * MB
    assert memory("gpt2", **{**sizes, "batch": large.largest_batch + 1}).total > 40 * MB
    ways = [dict(way.options) for way in small.ways_out]
    assert {"weights": "fp8"} in ways
    assert ({"kv_dtype": "fp8"} in ways) == (phase != "forward")
    if phase == "prefill":
        sizes["set"] = {**SIZES, "vocab_size": 50_000}  # so that the logits are the peak
        item = memory("gpt2", on=Device("box", 40 * MB), **sizes).devices[0]
        assert {"logits": "last"} in [dict(way.options) for way in item.ways_out]
    if phase == "decode":
        cached = {name: value for name, value in sizes.items() if name != "seq_len"}
        again = memory("gpt2", on=[Device("large", 40 * MB)], cache_len=255, **cached).devices[0]
        assert again == memory("gpt2", on=[Device("large", 40 * MB)], **sizes).devices[0]


@pytest.mark.parametrize("length", [{"cache_len": 900}, {"seq_len": 901}, {}])
def test_a_shorter_sequence_of_a_step_is_in_the_words_that_were_asked(length: dict[str, int]) -> None:
    """A size of the cache beside one of the sequence is refused, so the way out changes the one that was given."""
    asked: dict[str, Any] = {"set": SIZES, "batch": 40, "phase": "decode"}
    item = memory("gpt2", on=Device("box", 10 * MB), **asked, **length).devices[0]
    name = next(iter(length), "seq_len")
    way = next(way for way in item.ways_out if name in way.options)
    assert dict(way.options) == {name: item.longest_seq_len - (name == "cache_len")}
    assert memory("gpt2", **asked, **way.options).total == way.total <= item.capacity


def test_latents_that_are_not_expanded_are_a_way_out() -> None:
    """A decoding step of DeepSeek-V2-Lite as the library does it: 16 heads of 128 + 128 elements are made of a row of
    576, and of them the keys of 192, for each of 64 · 4,096 tokens of a layer."""
    asked: dict[str, Any] = {"phase": "decode", "cache_len": 4095, "batch": 64, "set": {"num_hidden_layers": 2}}
    item = memory("deepseek-v2-lite", attention="eager", on=Device("box", 3 * 10**9), **asked).devices[0]
    way = next(way for way in item.ways_out if "attention" in way.options)
    assert dict(way.options) == {"attention": "absorbed"}
    assert way.total == memory("deepseek-v2-lite", attention="absorbed", **asked).total
    assert item.total - way.total > 64 * 4096 * 16 * (256 + 192) * 2 - 64 * 4096 * 576 * 2
    default = memory("deepseek-v2-lite", on=Device("box", 10**9), **asked).devices[0]
    assert not [way for way in default.ways_out if "attention" in way.options]


def test_a_generation() -> None:
    """The longest sequence is the longest prompt and the new tokens; a shorter prompt is a way out."""
    asked: dict[str, Any] = {"set": SIZES, "batch": 4, "phase": "generate", "new_tokens": 20}
    found = memory("gpt2", prompt_len=900, on=[Device("box", 3 * MB), Device("large", 50 * MB)], **asked)
    small, large = found.devices
    assert (small.fits, large.fits) == (False, True)
    assert small.longest_seq_len
    prompt = small.longest_seq_len - 20
    assert memory("gpt2", prompt_len=prompt, **asked).total <= small.capacity
    assert memory("gpt2", prompt_len=prompt + 1, **asked).total > small.capacity
    assert large.longest_seq_len in (1024, 1025)  # the last new token is never run
    assert "beyond n_positions 1024" in large.seq_len_limit
    ways = [dict(way.options) for way in small.ways_out]
    assert {"prompt_len": prompt} in ways
    assert {"weights": "fp8"} in ways
    assert {"kv_dtype": "fp8"} in ways


def test_a_finished_graph_has_one_size() -> None:
    """No largest batch and no longest sequence; the ways out that need no other graph are there."""
    graph = graphacct.build("gpt2", phase="train", **SMALL)
    item = memory(graph, on=Device("box", MB)).devices[0]
    assert (item.largest_batch, item.longest_seq_len) == (None, None)
    names = [tuple(way.options) for way in item.ways_out]
    assert ("recompute",) in names
    assert not {"batch", "seq_len", "dtype"} & {name for options in names for name in options}


def test_a_model_of_images_has_a_batch_alone() -> None:
    item = memory("resnet18", on="t4").devices[0]
    assert item.longest_seq_len is None
    assert item.largest_batch
    budget = item.capacity
    assert memory("resnet18", batch=item.largest_batch).total <= budget
    assert memory("resnet18", batch=item.largest_batch + 1).total > budget


def test_symbols_do_not_fit_anywhere() -> None:
    with pytest.raises(ConfigError, match="whether 'gpt2' fits needs numbers"):
        memory("gpt2", on="h100", batch=sympy.Symbol("b", positive=True, integer=True))


def test_all_devices_share_their_totals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forty-one devices of 27 capacities: about two totals for each and size, not a search for each."""
    calls = []
    run = measured.run_of

    def counted(*args: Any, **options: Any) -> Any:
        calls.append(args)
        return run(*args, **options)

    monkeypatch.setattr(measured, "run_of", counted)
    found = memory("llama-3.2-1b", on="all", phase="decode", seq_len=4096)
    capacities = {item.capacity for item in found.devices}
    assert (len(found.devices), len(capacities)) == (41, 27)
    assert len(calls) <= 4 * len(capacities)


def test_the_total_alone_is_that_of_memory() -> None:
    for phase in ("train", "forward", "decode"):
        options = {**SMALL, "phase": phase}
        alone = measured.total("gpt2", unknown="error", plugins=default(), **options)
        assert alone == memory("gpt2", **options).total


def test_a_window_beyond_which_a_mask_is_copied() -> None:
    """Mistral's sequence beyond its window: a length that is no multiple of 8 needs a copy of the mask, so that the
    longest sequence that fits is a multiple of 8, although shorter ones do not fit."""
    sizes = {"num_hidden_layers": 1, "hidden_size": 64, "num_attention_heads": 2, "num_key_value_heads": 1}
    asked = {"phase": "prefill", "set": {**sizes, "vocab_size": 100, "intermediate_size": 64, "sliding_window": 16}}
    budget = memory("mistral-7b", seq_len=2048, **asked).total
    assert memory("mistral-7b", seq_len=2047, **asked).total > budget
    item = memory("mistral-7b", seq_len=64, on=Device("box", budget), **asked).devices[0]
    assert item.longest_seq_len == 2048
    assert largest(lambda n: memory("mistral-7b", seq_len=n, **asked), budget, "seq_len").size == 2048


def test_json_has_the_contracts_keys(tmp_path: Path) -> None:
    """`devices[]` with the settled words, in `memory`'s own JSON."""
    from graphacct.render.memory import to_dict

    values = json.loads(json.dumps(to_dict(memory("gpt2", on=BOXES, **SMALL))))
    assert [item["name"] for item in values["devices"]] == [box.name for box in BOXES]
    keys = {"name", "capacity", "nominal", "fits", "headroom_bytes", "largest_batch", "longest_seq_len", "ways_out"}
    assert all(keys <= set(item) for item in values["devices"])
    assert values["devices"][0]["ways_out"][-1]["options"] == {
        "recompute": "full",
        "weights": "nf4:double",
        "lora": ["16:all-linear"],
    }
    assert "devices" not in to_dict(memory("gpt2", **SMALL))
