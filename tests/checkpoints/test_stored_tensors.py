"""Quantised weights against a checkpoint's tensors: the bytes of each matrix."""

from __future__ import annotations

from typing import Any

import pytest

import graphacct
from graphacct.checkpoints.verify import QUANTISED, Verification, verify
from graphacct.render.checkpoint import expanded
from graphacct.tensors import TensorSpec

SIZES = {"num_hidden_layers": 2, "hidden_size": 128, "intermediate_size": 256, "vocab_size": 64, "head_dim": 32}
SIZES |= {"num_attention_heads": 4, "num_key_value_heads": 4, "tie_word_embeddings": False}


def report(name: str = "llama", **options: Any) -> graphacct.Report:
    return expanded(graphacct.account(name, seq_len=4, set=SIZES, **options))


def gptq(name: str, spec: TensorSpec) -> dict[str, TensorSpec]:
    """The tensors of a matrix as GPTQ writes them: 4 bits, groups of 128."""
    n, k = spec.shape
    return {
        f"{name}.qweight": TensorSpec((k // 8, n), "int32"),
        f"{name}.qzeros": TensorSpec((k // 128, n // 8), "int32"),
        f"{name}.scales": TensorSpec((k // 128, n), "float16"),
        f"{name}.g_idx": TensorSpec((k,), "int32"),
    }


def checkpoint(of: graphacct.Report, packed: Any) -> dict[str, TensorSpec]:
    """A checkpoint of a model, with the stored matrices packed."""
    found: dict[str, TensorSpec] = {}
    for row in of.by_parameter:
        item = row.parameter
        if item.stored is None:
            found[item.name] = item.spec
        else:
            found |= packed(item.name.removesuffix(".weight"), item.spec)
    return found


def compared(of: graphacct.Report, found: dict[str, TensorSpec]) -> Verification:
    return verify(of, found)


def test_equal_bytes() -> None:
    """All tensors of GPTQ's matrices are taken, 4 for each of 14; the parameters are those of the model."""
    model = report(weights="gptq:4")
    result = compared(model, checkpoint(model, gptq))
    assert result.equal
    assert result.differences == ()
    assert result.conversions == {QUANTISED: 4 * 14}
    assert result.params == model.total["params"]


def test_another_group() -> None:
    """Groups of 64 are another size than the file's: each matrix is named with both."""
    result = compared(report(weights="gptq:4:group=64"), checkpoint(report(weights="gptq:4"), gptq))
    assert not result.equal
    first = result.differences[0]
    assert (first.name, first.kind) == ("model.layers.0.self_attn.q_proj.weight", "bytes")
    # 128 × 128: 8,192 packed, 2 groups of 128 outputs with 2 bytes and half a byte, g_idx 512
    assert first.model == "gptq:4:group=64, 9,344 bytes"
    assert first.checkpoint == "9,024 bytes in 4 tensors"


def test_a_plain_file_is_not_the_quantised_model() -> None:
    """A matrix in 16 bits under its own name is compared as ever."""
    result = compared(report(weights="gptq:4"), checkpoint(report(), gptq))
    assert QUANTISED not in result.conversions


@pytest.mark.parametrize("double", [False, True])
def test_bitsandbytes_file(double: bool) -> None:
    """As bitsandbytes 0.50.2 writes them: the JSON beside the tensors is in the file alone, and has the offset."""

    def packed(name: str, spec: TensorSpec) -> dict[str, TensorSpec]:
        n, k = spec.shape
        blocks = n * k // 64
        made = {
            f"{name}.weight": TensorSpec((n * k // 2, 1), "uint8"),
            f"{name}.weight.absmax": TensorSpec((blocks,), "uint8" if double else "float32"),
            f"{name}.weight.quant_map": TensorSpec((16,), "float32"),
            f"{name}.weight.quant_state.bitsandbytes__nf4": TensorSpec((167,), "uint8"),
        }
        if double:
            made[f"{name}.weight.nested_absmax"] = TensorSpec((-(-blocks // 256),), "float32")
            made[f"{name}.weight.nested_quant_map"] = TensorSpec((256,), "float32")
        return made

    model = report(weights="nf4:double" if double else "nf4")
    result = compared(model, checkpoint(model, packed))
    assert result.equal
    assert result.differences == ()


def test_experts_in_modules_of_their_own() -> None:
    """A file has three modules for each expert; the model has two parameters for all."""
    sizes = {"num_hidden_layers": 1, "hidden_size": 128, "intermediate_size": 256, "vocab_size": 64}
    sizes |= {"num_local_experts": 2, "num_attention_heads": 4, "num_key_value_heads": 4}
    model = expanded(graphacct.account("mixtral", seq_len=4, set=sizes, weights="fp8"))

    def packed(name: str, spec: TensorSpec) -> dict[str, TensorSpec]:
        def matrix(at: str, *shape: int) -> dict[str, TensorSpec]:
            return {f"{at}.weight": TensorSpec(shape, "float8_e4m3fn"), f"{at}.weight_scale": TensorSpec((), "float32")}

        scope, _, last = name.rpartition(".")
        if not scope.endswith("experts"):
            return matrix(name, *spec.shape)  # type: ignore[arg-type]
        count, n, k = spec.shape
        found: dict[str, TensorSpec] = {}
        for index in range(count):  # type: ignore[arg-type]
            for single in ("gate_proj", "up_proj") if last == "gate_up_proj" else ("down_proj",):
                rows = n // 2 if last == "gate_up_proj" else n
                found |= matrix(f"{scope}.{index}.{single}", rows, k)  # type: ignore[arg-type]
        return found

    result = compared(model, checkpoint(model, packed))
    assert result.equal
    assert result.differences == ()
