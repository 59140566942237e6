"""Selective checkpointing by operator, measured now: torch keeps what `op-selective` keeps, and runs the same again."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from memory import Live, known
from modules import WorksheetLM
from runs import passed, scheduled
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

import graphacct
from graphacct.execution.kernels import RECOMPUTE
from graphacct.footprint.liveness import live_bytes

aten = torch.ops.aten
ATTENTION = aten._scaled_dot_product_flash_attention_for_cpu.default
LLAMA = {
    **{"vocab_size": 101, "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 3},
    **{"num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64},
}
GPT2 = {"vocab_size": 101, "n_positions": 64, "n_embd": 48, "n_layer": 3, "n_head": 6}
WORKSHEET = {"vocab_size": 101, "context_length": 64, "d_model": 48, "n_layer": 3, "n_head": 6, "d_ff": 80}
DROPOUT = ("attn_pdrop", "resid_pdrop", "embd_pdrop")
SIZES = ((1, 24), (2, 40))
IMPLEMENTATIONS = {"eager": "eager", "fused": "sdpa"}


def contexts(*products: Any) -> Callable[[], Any]:
    """The contexts of a layer under torchtitan's policy (`apply_ac`): attention and every second product are saved, the
    first one among them. Its own products are `mm` alone, which those with a bias (`addmm`) are not."""

    def made() -> Any:
        counts: Counter[bool] = Counter()

        def policy(context: Any, func: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
            counts[context.is_recompute] += func in products
            second = func in products and counts[context.is_recompute] % 2 == 0
            saved = func in (*products, ATTENTION) and not second
            return CheckpointPolicy.MUST_SAVE if saved else CheckpointPolicy.PREFER_RECOMPUTE

        return create_selective_checkpoint_contexts(policy)

    return made


class Products(TorchDispatchMode):
    """Counts the products with a matrix and the attention kernels that run while it is on, by their operands' sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[tuple[int, ...]] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (aten.mm.default, aten.addmm.default):
            x, weight = args[-2:]
            self.calls[(x.shape[0], *weight.shape)] += 1
        if func is ATTENTION:
            self.calls[()] += 1
        return func(*args, **(kwargs or {}))


def measured(model: Any, ids: torch.Tensor) -> tuple[int, int, int, Counter[tuple[int, ...]]]:
    """Bytes alive when the forward pass is through beside the sum of its logits (4), both peaks, and the products of
    the backward pass. What selective checkpointing saves no hook of autograd sees."""
    model.zero_grad(set_to_none=True)
    gc.collect()
    live, products = Live(known(model, ids)), Products()
    with live:
        output = model(ids)
        loss = (output.logits if hasattr(output, "logits") else output).sum()
    del output
    gc.collect()
    saved = sum(size for storage, size in live.alive.values() if not storage.expired()) - 4
    forward = live.peak
    with live, products:
        loss.backward()
    return saved, forward, live.peak, products.calls


def both(
    model: Any, checkpointed: Callable[[Any], None], name: str, batch: int, seq_len: int, **options: Any
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """What torch keeps and its peaks, and graphacct's; the same products and no other run again, by both."""
    ids = torch.zeros((batch, seq_len), dtype=torch.long)
    model(ids)  # what is imported at the first call is none of the model's
    *_, once = measured(model, ids)
    checkpointed(model)
    *found, twice = measured(model, ids)
    options |= {"recompute": "op-selective", "batch": batch, "seq_len": seq_len, "dtype": "float32", "loss": "sum"}
    steps = scheduled(name, **options)
    saved, back = passed(steps, in_place=False)
    report = graphacct.account(name, phase="train", profile="torch-eager-cpu", **options)
    assert report.total["saved_bytes"] == sum(use.bytes for use in saved)
    again: Counter[tuple[int, ...]] = Counter()
    for call in back.calls:
        if call.run == RECOMPUTE and call.name in ("linear", "linear_in_out"):
            inside, outside = call.operands[0].spec.shape[-1], call.outputs[0].spec.shape[-1]
            again[batch * seq_len, inside, outside] += call.count
    assert twice - once == again
    assert not once - twice
    peaks = max(live_bytes(steps, saved)), max(live_bytes(steps, saved, back, fresh=True))
    return tuple(found), (sum(use.bytes for use in saved), *peaks)


def selected(*products: Any) -> Callable[[Any], None]:
    """Wraps the layers of the library's models."""

    def wrap(model: Any) -> None:
        model.gradient_checkpointing_enable({"use_reentrant": False, "context_fn": contexts(*products)})

    return wrap


@pytest.mark.parametrize(("batch", "seq_len"), SIZES)
@pytest.mark.parametrize("attention", IMPLEMENTATIONS)
def test_llama(attention: str, batch: int, seq_len: int) -> None:
    """Of q, k, v, o, gate, up and down the products of k, o and up run again, and attention only where it is written
    out. To the byte: with transformers 5.23 the ids of the positions are not kept."""
    kind = {"attn_implementation": IMPLEMENTATIONS[attention], "use_cache": False}
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**LLAMA, bos_token_id=0, eos_token_id=0, **kind))
    sizes = {"batch": batch, "seq_len": seq_len, "attention": attention, "set": LLAMA}
    torchs, ours = both(model.train(), selected(aten.mm.default), "llama-2-7b", **sizes)
    assert torchs == ours


@pytest.mark.parametrize(("batch", "seq_len"), SIZES)
@pytest.mark.parametrize(("attention", "p"), [("eager", 0.0), ("eager", 0.1), ("fused", 0.0)])
def test_gpt2(attention: str, p: float, batch: int, seq_len: int) -> None:
    """Of c_attn, c_proj, c_fc and c_proj, which have biases, the two c_proj run again, where the policy counts products
    with a bias as ours does. With dropout fused attention is no kernel of a CPU's."""
    sizes = {**GPT2, **dict.fromkeys(DROPOUT, p)}
    kind = {"attn_implementation": IMPLEMENTATIONS[attention], "use_cache": False}
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0, **kind))
    options = {"batch": batch, "seq_len": seq_len, "attention": attention, "set": sizes}
    torchs, ours = both(model.train(), selected(aten.mm.default, aten.addmm.default), "gpt2", **options)
    assert torchs == ours


class Checkpointed(torch.nn.Module):
    """A layer that is checkpointed, as torchtitan wraps one."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, *args: Any) -> Any:
        return checkpoint(self.layer, *args, use_reentrant=False, context_fn=contexts(aten.mm.default))


@pytest.mark.parametrize(("batch", "seq_len"), SIZES)
def test_the_worksheets_model(batch: int, seq_len: int) -> None:
    """A stack of layers that are wrapped by hand: what is kept and the step's peak. The forward pass's peak is that of
    the module's own variables, as without gradients."""

    def wrap(model: Any) -> None:
        model.layers = torch.nn.ModuleList(Checkpointed(layer) for layer in model.layers)

    torchs, ours = both(WorksheetLM(**WORKSHEET).train(), wrap, "transformer-lm", batch, seq_len, set=WORKSHEET)
    assert (torchs[0], torchs[2]) == (ours[0], ours[2])
