"""How many pairs of a query and a key each attention of a class may see, measured by its scores on random inputs.

`python tests/verify/attention_pairs.py` writes tests/goldens/attention_pairs.json. It knows nothing of graphacct: it
counts the scores that no mask has set to the lowest value, before each softmax, in the order in which they run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
import transformers

GOLDEN = Path(__file__).parents[1] / "goldens" / "attention_pairs.json"
LOWEST = -1e4
SIZES = {
    **{"vocab_size": 64, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 4},
    **{"num_attention_heads": 4, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0},
}
SHARED = {**SIZES, "num_key_value_heads": 2, "head_dim": 8}
GPT = {"vocab_size": 64, "n_embd": 32, "n_layer": 2, "n_head": 4}
SIDES = {f"{side}_{key}": size for side in ("encoder", "decoder") for key, size in (("layers", 2), ("ffn_dim", 32))}
BART = {"vocab_size": 64, "d_model": 32, "encoder_attention_heads": 4, "decoder_attention_heads": 4, **SIDES}
EXPERTS = {"num_local_experts": 2, "num_experts_per_tok": 1}
LATENT = {
    **SIZES,
    **{"num_key_value_heads": 4, "q_lora_rank": 8, "kv_lora_rank": 8, "qk_rope_head_dim": 4, "qk_nope_head_dim": 4},
    **{"v_head_dim": 8, "n_routed_experts": 4, "num_experts_per_tok": 1, "n_group": 1, "topk_group": 1},
    **{"moe_intermediate_size": 8, "first_k_dense_replace": 2},
}
SMALL_TOWER = {
    **{"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16},
    **{"image_size": 8, "patch_size": 4},
}
WINDOWS = (1, 5, 17)
LENGTHS = (1, 6, 17)


def cases() -> Iterator[tuple[str, str, dict[str, Any], dict[str, int]]]:
    """Yields classes, their types, keys and workloads."""
    for window in WINDOWS:
        sliding = {"sliding_window": window}
        for seq in LENGTHS:
            sizes = {"seq_len": seq}
            yield "MistralForCausalLM", "mistral", {**SHARED, **sliding}, sizes
            yield "Gemma2ForCausalLM", "gemma2", {**SHARED, **sliding}, sizes
            yield "Gemma3ForCausalLM", "gemma3_text", {**SHARED, **sliding, "num_hidden_layers": 7}, sizes
            some = {"use_sliding_window": True, "max_window_layers": 2}
            yield "Qwen2ForCausalLM", "qwen2", {**SIZES, "num_key_value_heads": 2, **sliding, **some}, sizes
            yield "GptOssForCausalLM", "gpt_oss", {**SHARED, **sliding, **EXPERTS}, sizes
            chunks = {"attention_chunk_size": window, "intermediate_size_mlp": 48}
            yield "Llama4ForCausalLM", "llama4_text", {**SHARED, **chunks, **EXPERTS}, sizes
            yield "Cohere2ForCausalLM", "cohere2", {**SHARED, **sliding}, sizes
            yield "ModernBertModel", "modernbert", {**SIZES, "local_attention": window}, sizes
            own = {"attention_types": [[["global", "local"], 1]], "window_size": window, "max_position_embeddings": 64}
            neo = {"vocab_size": 64, "hidden_size": 32, "num_layers": 2, "num_heads": 4}
            yield "GPTNeoForCausalLM", "gpt_neo", {**neo, **own}, sizes
            inside = {**SHARED, **sliding}
            both = {"encoder": inside, "decoder": {**inside, "cross_attention_hidden_size": 32}, "pad_token_id": 0}
            lengths = {**sizes, "encoder_seq_len": 9}
            yield "T5GemmaForConditionalGeneration", "t5gemma", {**both, "vocab_size": 64}, lengths
            text = {"text_config": inside, "vision_config": {**SMALL_TOWER}, "mm_tokens_per_image": 4}
            none = {**lengths, "images": 0}
            yield "T5Gemma2ForConditionalGeneration", "t5gemma2", {"encoder": text, "decoder": inside}, none
    for window in (2, 5):
        both_ways = {**SHARED, "sliding_window": window, "use_bidirectional_attention": True}
        yield "Gemma3TextModel", "gemma3_text", both_ways, {"seq_len": 17}
    for seq in LENGTHS:
        sizes = {"seq_len": seq}
        yield "GPT2LMHeadModel", "gpt2", GPT, sizes
        yield "LlamaForCausalLM", "llama", {**SIZES, "num_key_value_heads": 2}, sizes
        yield "BloomForCausalLM", "bloom", {"vocab_size": 64, "hidden_size": 32, "n_layer": 2, "n_head": 4}, sizes
        yield "GPTBigCodeForCausalLM", "gpt_bigcode", GPT, sizes
        yield "DeepseekV3ForCausalLM", "deepseek_v3", LATENT, sizes
        yield "BertModel", "bert", SIZES, sizes
        yield "BertLMHeadModel", "bert", {**SIZES, "is_decoder": True}, sizes
        yield "XLMModel", "xlm", {"vocab_size": 64, "emb_dim": 32, "n_layers": 2, "n_heads": 4, "causal": True}, sizes
        lengths = {**sizes, "encoder_seq_len": 9}
        t5 = {"vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 4}
        yield "T5ForConditionalGeneration", "t5", t5, lengths
        yield "BartForConditionalGeneration", "bart", BART, lengths
        starts = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
        heard = {**BART, **starts, "max_source_positions": 20}
        yield "WhisperForConditionalGeneration", "whisper", heard, sizes
        yield "GitForCausalLM", "git", {**SIZES, "vision_config": SMALL_TOWER}, sizes


def inputs(kind: str, workload: dict[str, int]) -> dict[str, Any]:
    """Random inputs of a model."""
    texts = {name: torch.randint(3, 50, (1, workload[name])) for name in workload if name.endswith("seq_len")}
    given: dict[str, Any] = {"input_ids": texts["seq_len"]}
    if "encoder_seq_len" in texts:
        given = {"input_ids": texts["encoder_seq_len"], "decoder_input_ids": texts["seq_len"]}
    if kind == "whisper":
        given = {"input_features": torch.zeros(1, 80, 40), "decoder_input_ids": texts["seq_len"]}
    if kind == "git":
        given["pixel_values"] = torch.zeros(1, 3, 8, 8)
    return given


def measured(name: str, kind: str, keys: dict[str, Any], workload: dict[str, int]) -> list[tuple[int, int, int]]:
    """The queries, keys and visible pairs of each attention of a class."""
    config = transformers.AutoConfig.for_model(kind, **json.loads(json.dumps(keys)))
    torch.manual_seed(0)
    found: list[tuple[int, int, int]] = []
    model = getattr(transformers, name)._from_config(config, attn_implementation="eager").eval().float()
    plain: Callable[..., Any] = torch.Tensor.softmax
    other: Callable[..., Any] = torch.softmax

    def watched(softmax: Callable[..., Any]) -> Callable[..., Any]:
        def run(x: Any, *args: Any, **options: Any) -> Any:
            if x.dim() == 4:
                found.append((x.shape[-2], x.shape[-1], int((x[0, 0] > LOWEST).sum())))
            return softmax(x, *args, **options)

        return run

    torch.Tensor.softmax, torch.softmax = watched(plain), watched(other)  # type: ignore[method-assign,assignment]
    try:
        with torch.no_grad():
            model(**inputs(kind, workload))
    finally:
        torch.Tensor.softmax, torch.softmax = plain, other  # type: ignore[method-assign,assignment]
    return found


def main() -> None:
    transformers.logging.set_verbosity_error()
    rows = []
    for name, kind, keys, workload in cases():
        config = {"model_type": kind, "architectures": [name], **keys}
        rows.append({"config": config, "workload": workload, "pairs": measured(name, kind, keys, workload)})
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    lines = ",\n".join(f"  {json.dumps(row)}" for row in rows)
    GOLDEN.write_text(f'{{{json.dumps(versions)[1:-1]},\n "cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
