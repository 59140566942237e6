"""Prefill and decoding, measured again, now, on tiny models: real torch and graphacct agree to the byte."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import torch
from graphacct_architectures.layers import with_cache
from memory import Live, decode_peak, prefill_peak

from graphacct import Builder, memory
from graphacct.execution.schedule import schedule
from graphacct.footprint.liveness import live_bytes
from graphacct.hooks.manager import default
from graphacct.models.workload import Workload

GPT2 = {"vocab_size": 101, "n_positions": 64, "n_embd": 48, "n_head": 6}
SIZES = ((1, 24), (2, 40), (3, 2))


@pytest.mark.parametrize(("batch", "tokens"), SIZES)
@pytest.mark.parametrize("layers", [1, 3, 8])
@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize("attention", ["eager", "fused"])
def test_gpt2(attention: str, phase: str, layers: int, batch: int, tokens: int) -> None:
    """The peak, and the cache at the end, of GPT-2 with the library's DynamicCache."""
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes = {**GPT2, "n_layer": layers}
    kind = {"eager": "eager", "fused": "sdpa"}[attention]
    config = GPT2Config(**sizes, bos_token_id=None, eos_token_id=None, attn_implementation=kind)
    model = GPT2LMHeadModel(config).eval()
    ids = torch.zeros((batch, tokens), dtype=torch.long)
    measured = (prefill_peak if phase == "prefill" else decode_peak)(model, ids)
    options = {"batch": batch, "seq_len": tokens, "attention": attention, "set": sizes}
    found = memory("gpt2", phase=phase, profile="torch-eager-cpu", **options)
    assert (found.peak, found.kv_cache_bytes) == measured


def expected(phase: str, batch: int, heads: int, tokens: int, width: int, window: int | None) -> list[Any]:
    """Live bytes of graphacct's cache alone, for the keys and values of one layer."""
    workload = Workload(batch, tokens if phase == "prefill" else 1, phase=phase)
    if phase == "decode":
        workload = Workload(batch, 1, phase=phase, cache_len=tokens)
    b = Builder("cache", default().operators)
    for label in "kv":
        with_cache(b, b.input(label, (batch, heads, workload.seq_len, width)), label, workload, window)
    return live_bytes(schedule(b.graph(), default().operators))


@pytest.mark.parametrize(("batch", "heads"), [(1, 1), (2, 3)])
@pytest.mark.parametrize("tokens", [3, 7, 8, 9, 20])
@pytest.mark.parametrize("window", [None, 8])
def test_a_layers_cache(batch: int, heads: int, tokens: int, window: int | None) -> None:
    """Of any number of heads, without and with a window: what is alive in the prefill, and in a decoding step that
    follows others. The library's windowed layer copies keys and values both before it gives up either: there the peak
    is higher by the old keys."""
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    width = 16

    def fresh() -> Any:
        return DynamicLayer() if window is None else DynamicSlidingWindowLayer(window)

    def peak(layer: Any, count: int) -> int:
        """The most that is alive while `count` tokens are put behind those of a layer's cache."""
        new = [torch.zeros(batch, heads, count, width) for _ in "kv"]
        gc.collect()
        old = (layer.keys, layer.values) if layer.is_initialized else ()
        live = Live({tensor.untyped_storage()._cdata for tensor in new}, old)
        del old
        with live:
            layer.update(*new)
        return live.peak

    assert peak(fresh(), tokens) == max(expected("prefill", batch, heads, tokens, width, window))
    layer = fresh()
    for _ in range(tokens):
        peak(layer, 1)
    held = tokens if window is None else min(tokens, window)
    assert layer.keys.untyped_storage().nbytes() == batch * heads * held * width * 4
    longer = 0 if window is None else batch * heads * held * width * 4
    assert peak(layer, 1) == max(expected("decode", batch, heads, tokens, width, window)) + longer
