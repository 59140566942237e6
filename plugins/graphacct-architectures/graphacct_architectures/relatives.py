"""Decoders that have another family's layers under another `model_type`: a row of data each.

Most classes stand in the models' own repositories, so that no library measures them; a comment says where the sizes and
names are published.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphacct_architectures.renamed import RenamedArchitecture, renamed

LLAMA_LIKE = "decoders.llama_like"
LING_2: Mapping[str, Any] = {
    **{"vocab_size": 157184, "hidden_size": 2048, "num_hidden_layers": 20, "num_attention_heads": 16},
    **{"num_key_value_heads": 4, "head_dim": 128, "intermediate_size": 5120, "max_position_embeddings": 32768},
    **{"num_experts": 256, "num_experts_per_tok": 8, "num_shared_experts": 1, "moe_intermediate_size": 512},
    **{"first_k_dense_replace": 1, "n_group": 8, "topk_group": 4, "use_qk_norm": True, "use_bias": False},
    **{"score_function": "sigmoid", "moe_router_enable_expert_bias": True},
    **{"attention_dropout": 0.0, "embedding_dropout": 0.0, "output_dropout": 0.0},
}
"""The defaults of Ling 2.0's configuration class, and of those that start from it."""
BOTH_WAYS: Mapping[str, Any] = {"causal": False, "unmasked": True}
"""Attention of models that fill in masked tokens, or embed a text."""


def llama_like(name: str, stem: str, **differences: Any) -> RenamedArchitecture:
    """Returns Llama's layers, with what differs; `stem` is how the names of its classes begin."""
    return renamed(name, LLAMA_LIKE, classes=(stem, "Llama"), **differences)


RELATIVES: tuple[RenamedArchitecture, ...] = (
    renamed("gpt-sw3", "decoders.gpt2"),  # transformers maps the type to GPT-2's classes
    llama_like(  # transformers: Llama's classes
        "iquestcoder",
        "IQuestCoder",
        defaults={
            **{"vocab_size": 76800, "hidden_size": 5120, "intermediate_size": 27648, "num_hidden_layers": 80},
            **{"num_attention_heads": 40, "num_key_value_heads": 8, "head_dim": 128},
            "max_position_embeddings": 131072,
        },
    ),
    llama_like(  # transformers: Llama's classes; its own repository has biases by two keys, which here may differ
        "internlm3",
        "InternLM3",
        defaults={
            **{"vocab_size": 128512, "hidden_size": 4096, "intermediate_size": 10240, "num_hidden_layers": 48},
            **{"num_attention_heads": 32, "num_key_value_heads": 2, "head_dim": 128},
            "max_position_embeddings": 32768,
        },
        keys={"qkv_bias": "attention_bias", "bias": "mlp_bias"},
        facts={"out_bias_by": "mlp_bias"},
    ),
    llama_like(  # huggingface.co/OrionStarAI/Orion-14B-Base, modeling_orion.py
        "orion",
        "Orion",
        defaults={
            **{"vocab_size": 84608, "hidden_size": 5120, "intermediate_size": 15360, "num_hidden_layers": 40},
            **{"num_attention_heads": 40, "num_key_value_heads": 40, "max_position_embeddings": 4096},
        },
        facts={"of_norm": {"kind": "layer_norm", "bias": True}},
    ),
    llama_like(  # huggingface.co/KORMo-Team/KORMo-10B-base
        "kormo",
        "KORMo",
        facts={"of_layer": {"attention_norm": "pre_attention_layernorm", "mlp_norm": "pre_mlp_layernorm"}},
    ),
    llama_like("telechat3", "TeleChat3", no_cost={"pretraining_tp": None}),
    llama_like(  # huggingface.co/CofeAI/Tele-FLM: constants multiply embedding and logits
        "teleflm",
        "TeleFLM",
        types=("TeleFLM",),
        facts={"scaled_if": "use_mup"},
        no_cost=dict.fromkeys(("input_mult", "output_mult", "mup_scale_factor")),
    ),
    llama_like(  # huggingface.co/xverse/XVERSE-13B
        "xverse",
        "Xverse",
        defaults={
            **{"vocab_size": 100278, "hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 40},
            "num_attention_heads": 40,
        },
        no_cost={"max_tokenizer_truncation": None},
    ),
    llama_like(  # ai.gitcode.com/ascend-tribe/openpangu-embedded-7b-model, configuration_openpangu_dense.py
        "pangu-embedded",
        "PanguEmbedded",
        types=("PanguEmbedded", "openpangu_dense"),
        defaults={
            **{"vocab_size": 153376, "hidden_size": 4096, "intermediate_size": 12800, "num_hidden_layers": 34},
            **{"num_attention_heads": 32, "num_key_value_heads": 8, "max_position_embeddings": 32768},
            "attention_bias": True,
        },
        keys={"bias": "attention_bias"},
    ),
    llama_like(  # huggingface.co/Maincode/Maincoder-1B: norms of rotated queries and keys
        "maincoder",
        "Maincoder",
        defaults={
            **{"vocab_size": 151936, "hidden_size": 1536, "intermediate_size": 4096, "num_hidden_layers": 32},
            **{"num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 96, "tie_word_embeddings": True},
        },
        keys={"intermediate_size_mlp": "intermediate_size"},
        facts={"of_attention": {"qk_norm": "head", "qk_norm_last": True}, "of_network": {"module": "feed_forward"}},
    ),
    llama_like(  # huggingface.co/Dream-org/Dream-v0-Base-7B: Qwen2's layers, which see the whole sequence
        "dream",
        "Dream",
        types=("Dream",),
        defaults={
            **{"vocab_size": 151936, "hidden_size": 4096, "intermediate_size": 22016, "num_hidden_layers": 32},
            **{"num_attention_heads": 32, "num_key_value_heads": 32, "max_position_embeddings": 32768},
            "attention_bias": True,
        },
        facts={"of_attention": BOTH_WAYS, "out_bias_by": "", "always_language_model": True},
        no_cost={"max_window_layers": None, "sliding_window": None},
    ),
    renamed(  # Qwen3-MoE's layers, which see the whole sequence: github.com/RadicalNumerics/RND1, rnd/modeling_rnd.py,
        # and the sizes of its configuration_rnd.py, which are Qwen3-30B-A3B's
        "rnd1",
        "decoders.qwen3_moe",
        classes=("RND1", "Qwen3Moe"),
        defaults={"num_hidden_layers": 48, "head_dim": 128, "num_attention_heads": 32, "norm_topk_prob": True},
        facts={"both_ways": True},
        no_cost=dict.fromkeys(("mask_token_id", "attn_implementation", "moe_backend", "num_diffusion_steps")),
    ),
    renamed(  # huggingface.co/inclusionAI/Ling-mini-2.0, whose file names the first generation's type
        "bailing_moe_v2",
        "decoders.bailing_moe",
        classes=("BailingMoeV2", "BailingMoe"),
        defaults={**LING_2, "partial_rotary_factor": 0.5},
    ),
    renamed(  # huggingface.co/bharatgenai/Param2-17B-A2.4B-Thinking
        "param2moe",
        "decoders.bailing_moe",
        classes=("Param2MoE", "BailingMoe"),
        defaults=LING_2,
        facts={"shared_total": True},
    ),
    renamed(  # transformers 5.24 reads huggingface.co/sarvamai/sarvam-105b with DeepSeek-V3's classes
        "sarvam_mla",
        "decoders.deepseek_v3",
        classes=("SarvamMLA", "DeepseekV3"),
        defaults={
            **{"vocab_size": 262144, "hidden_size": 4096, "intermediate_size": 16384, "num_hidden_layers": 32},
            **{"num_attention_heads": 64, "n_routed_experts": 128, "n_group": 16, "topk_group": 2},
            **{"q_lora_rank": None, "first_k_dense_replace": 1},
        },
        keys={"num_experts": "n_routed_experts", "num_shared_experts": "n_shared_experts"},
        no_cost={
            **{"score_function": ("sigmoid",), "moe_router_enable_expert_bias": (True,), "router_dtype": None},
            **{"head_dim": None, "q_head_dim": None, "use_qk_norm": None},
        },
    ),
    llama_like(  # stepfun-ai/Step-Audio-2, vLLM's step1.py: slopes by distance in place of rotary positions
        "step1",
        "Step1",
        keys={"num_attention_groups": "num_key_value_heads"},
        facts={
            "of_attention": {"rotary": 0, "alibi": True, "masked": True},
            "of_decoder": {"rotary_tables": ()},
        },
    ),
    renamed("youtu_llm", "decoders.youtu", classes=("YoutuLLM", "Youtu")),  # the name in mlx-lm
    llama_like(  # huggingface.co/nvidia/llama-embed-nemotron-8b: Llama's decoder alone, which sees the whole sequence
        "llama_bidirec",
        "LlamaBidirectional",
        facts={"of_attention": BOTH_WAYS},
        no_cost={"pooling": None},
    ),
    renamed(  # transformers 5.24: Granite's model as Granite Docling's text model, without a head
        "granite_docling_text",
        "decoders.granite",
        classes=("GraniteDoclingText", "Granite"),
        defaults={
            **{"vocab_size": 133800, "hidden_size": 1024, "intermediate_size": 2048, "num_hidden_layers": 28},
            **{"num_attention_heads": 16, "num_key_value_heads": 4, "max_position_embeddings": 32768},
            "tie_word_embeddings": True,
        },
    ),
    renamed(  # transformers 5.24: GLM-4V's text model as GLM-Image's, with biases where a file says so
        "glm_image_text",
        "decoders.glm4v_text",
        classes=("GlmImageText", "Glm4vText"),
        defaults={"vocab_size": 168064, "max_position_embeddings": 131072},
        facts={"bias_by": "attention_bias"},
        no_cost={"vision_vocab_size": None},
    ),
    renamed(  # transformers 5.24: Gemma 2's keys for each of the two stacks of T5Gemma
        "t5_gemma_module",
        "decoders.gemma2",
        classes=("T5GemmaModule", "Gemma2"),
        no_cost=dict.fromkeys(
            ("is_decoder", "cross_attention_hidden_size", "dropout_rate", "attention_dropout", "query_pre_attn_scalar")
        ),
    ),
)
