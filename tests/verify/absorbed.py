"""Latent attention both ways, with weights and on a CPU: `python tests/verify/absorbed.py` writes
tests/goldens/absorbed/truth.json.

The library expands the latents of all cached tokens to keys and values in every step. `absorbed` below is the same
attention without expanding any, by the equations of DeepSeek-AI, 2024 (arXiv:2405.04434, section 2.1), put into the
library's model with its weights. Both ways give the same logits, and torch's counter says what each takes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import transformers
from torch.utils._python_dispatch import _disable_current_modes as uncounted
from torch.utils.flop_counter import FlopCounterMode

GOLDENS = Path(__file__).parents[1] / "goldens"
TRUTH = GOLDENS / "absorbed" / "truth.json"
CASES = ("small-deepseek-v2", "small-deepseek-v3")
SIZES = ((1, 7), (3, 40))
"""Sequences, and tokens: of a forward pass, or in the cache of a decoding step."""


def model_of(case: str) -> Any:
    """The library's model with random weights in float64, of which both ways round the softmax to float32."""
    config = transformers.AutoConfig.from_pretrained(GOLDENS / "families" / case)
    torch.manual_seed(0)
    kind = getattr(transformers, config.architectures[0])
    options = {"attn_implementation": "eager", "experts_implementation": "batched_mm", "dtype": torch.float64}
    return kind._from_config(config, **options).eval()


def absorbed(
    module: Any, q: torch.Tensor, rows: torch.Tensor, latents: torch.Tensor, mask: Any, scaling: float, **_: Any
) -> tuple[torch.Tensor, None]:
    """Attention of queries (b, h, s, nope + rope) on rows (b, 1, t, rank + rope), the latents of which are (b, 1, t,
    rank): the weight that makes keys of latents meets the queries, and the one that makes values the result."""
    nope, rope = module.qk_nope_head_dim, module.qk_rope_head_dim
    by_head = module.kv_b_proj.weight.view(module.num_heads, nope + module.v_head_dim, module.kv_lora_rank)
    for_keys, for_values = by_head.split([nope, module.v_head_dim], dim=1)
    front, rest = q.split([nope, rope], dim=-1)
    q = torch.cat([torch.einsum("bhsn,hnr->bhsr", front, for_keys), rest], dim=-1)
    scores = q @ rows.transpose(-1, -2) * scaling
    if mask is not None:
        scores = scores + mask
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(q.dtype)  # as the library
    return torch.einsum("bhsr,hvr->bshv", weights @ latents, for_values), None


@contextmanager
def absorbing(model: Any) -> Iterator[None]:
    """Within it the model's layers expand no latent: `expand_kv` passes the cached rows on."""
    kind = type(model.model.layers[0].self_attn)

    def rows(self: Any, latents: torch.Tensor, key: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.cat([latents, key], dim=-1), latents

    with (
        mock.patch.object(kind, "expand_kv", rows),
        mock.patch.object(sys.modules[kind.__module__], "eager_attention_forward", absorbed),
    ):
        yield


def decoded(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Logits of the last token, on the library's cache of those before it; only the step is counted."""
    with torch.no_grad(), uncounted():
        cache = model(ids[:, :-1], use_cache=True).past_key_values
    with torch.no_grad():
        return model(ids[:, -1:], past_key_values=cache, use_cache=True).logits


def forward(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """Logits of all positions."""
    with torch.no_grad():
        return model(ids, use_cache=False).logits


def stepped(model: Any, ids: torch.Tensor) -> torch.Tensor:
    """The gradient of the weight that expands latents, in the first layer, from the sum of the logits."""
    model.zero_grad()
    model(ids, use_cache=False).logits.sum().backward()
    return model.model.layers[0].self_attn.kv_b_proj.weight.grad.clone()


def both(run: Callable[[Any, torch.Tensor], torch.Tensor], model: Any, ids: torch.Tensor) -> dict[str, int]:
    """FLOPs of what `run` does, the library's way and absorbed. Raises AssertionError unless the results are equal."""
    with FlopCounterMode(display=False) as library:
        expected = run(model, ids)
    with absorbing(model), FlopCounterMode(display=False) as counter:
        found = run(model, ids)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    return {"expanded": library.get_total_flops(), "absorbed": counter.get_total_flops()}


def measured(case: str) -> Iterator[dict[str, Any]]:
    """FLOPs of a decoding step, a forward pass and a training step (sum of the logits) of one model, both ways."""
    model = model_of(case)
    for batch, tokens in SIZES:
        row = {"model": case, "batch": batch}
        ids = torch.randint(0, model.config.vocab_size, (batch, tokens + 1))
        yield {**row, "phase": "decode", "cached_tokens": tokens, **both(decoded, model, ids)}
        yield {**row, "phase": "forward", "seq": tokens, **both(forward, model, ids[:, :-1])}
        yield {**row, "phase": "train", "seq": tokens, **both(stepped, model, ids[:, :-1])}


def main() -> None:
    rows = [row for case in CASES for row in measured(case)]
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    TRUTH.parent.mkdir(exist_ok=True)
    TRUTH.write_text(json.dumps({"versions": versions, "runs": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
