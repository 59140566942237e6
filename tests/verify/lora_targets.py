"""Which modules the peft library adapts for a list of target modules, and how many parameters are then trained.

Run by hand where peft is installed: `python tests/verify/lora_targets.py > tests/goldens/lora-targets/truth.json`.
The models are tiny and random; the counts are of modules and sizes alone.
"""

import json
import sys

import peft
import torch
import transformers

RANK = 2
NARROW = {
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "vocab_size": 97,
    "intermediate_size": 48,
}
GQA = {**NARROW, "num_key_value_heads": 2}
DIMS = {
    "d_model": 32,
    "vocab_size": 97,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 40,
}
MODELS = {
    "LlamaForCausalLM": (
        {"model_type": "llama", **GQA},
        [
            "q_proj",
            "q_proj,v_proj",
            "mlp.down_proj",
            "layers.1.self_attn.q_proj",
            "self_attn.o_proj,lm_head",
            "all-linear",
        ],
    ),
    "GPT2LMHeadModel": (
        {"model_type": "gpt2", "n_embd": 32, "n_layer": 3, "n_head": 4, "vocab_size": 97},
        ["c_attn", "c_proj", "attn.c_proj,c_fc", "all-linear"],
    ),
    "GPTNeoXForCausalLM": ({"model_type": "gpt_neox", **NARROW}, ["query_key_value", "dense", "all-linear"]),
    "Gemma2ForCausalLM": (
        {"model_type": "gemma2", **GQA, "head_dim": 8},
        ["q_proj,k_proj,v_proj,o_proj", "all-linear"],
    ),
    "FalconForCausalLM": (
        {"model_type": "falcon", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 97},
        ["query_key_value", "all-linear"],
    ),
    "Phi3ForCausalLM": (
        {"model_type": "phi3", **GQA, "pad_token_id": 0},
        ["qkv_proj", "gate_up_proj,down_proj", "all-linear"],
    ),
    "Qwen2MoeForCausalLM": (
        {
            "model_type": "qwen2_moe",
            **GQA,
            "num_experts": 4,
            "num_experts_per_tok": 2,
            "moe_intermediate_size": 24,
            "shared_expert_intermediate_size": 40,
        },
        ["q_proj", "down_proj", "all-linear"],
    ),
    "MixtralForCausalLM": ({"model_type": "mixtral", **GQA, "num_local_experts": 4}, ["v_proj", "all-linear"]),
    "BertForMaskedLM": ({"model_type": "bert", **NARROW}, ["query", "dense", "output.dense", "all-linear"]),
    "BertForSequenceClassification": ({"model_type": "bert", **NARROW}, ["query,value", "all-linear"]),
    "BertModel": ({"model_type": "bert", **NARROW}, ["all-linear"]),
    "T5ForConditionalGeneration": (
        {"model_type": "t5", "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4, "vocab_size": 97},
        ["q", "q,v", "EncDecAttention.k", "wi", "all-linear"],
    ),
    "BartForConditionalGeneration": (
        {"model_type": "bart", **DIMS},
        ["q_proj", "encoder_attn.v_proj", "fc1", "all-linear"],
    ),
    "WhisperForConditionalGeneration": (
        {
            "model_type": "whisper",
            **DIMS,
            "num_mel_bins": 8,
            "max_source_positions": 16,
            "max_target_positions": 16,
            "pad_token_id": 0,
            "bos_token_id": 1,
            "eos_token_id": 2,
            "decoder_start_token_id": 1,
        },
        ["q_proj,v_proj", "all-linear"],
    ),
    "ViTForImageClassification": (
        {
            "model_type": "vit",
            **{k: v for k, v in NARROW.items() if k != "vocab_size"},
            "image_size": 16,
            "patch_size": 8,
        },
        ["query", "dense", "all-linear"],
    ),
    "OPTForCausalLM": (
        {
            "model_type": "opt",
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "vocab_size": 97,
            "ffn_dim": 48,
            "word_embed_proj_dim": 16,
            "max_position_embeddings": 32,
        },
        ["q_proj", "fc2", "all-linear"],
    ),
    "MambaForCausalLM": (
        {
            "model_type": "mamba",
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "vocab_size": 97,
            "state_size": 4,
            "time_step_rank": 4,
        },
        ["x_proj,in_proj", "all-linear"],
    ),
}


def trained(name: str, config: dict, targets: str) -> object:
    """Returns the adapters' parameters; the error's first words where peft refuses the targets."""
    keys = {key: value for key, value in config.items() if key != "model_type"}
    model = getattr(transformers, name)(transformers.AutoConfig.for_model(config["model_type"], **keys))
    wanted = targets if targets == "all-linear" else targets.split(",")
    try:
        adapted = peft.get_peft_model(model, peft.LoraConfig(r=RANK, target_modules=wanted))
    except ValueError as error:
        return " ".join(str(error).split())[:120]
    return sum(parameter.numel() for parameter in adapted.parameters() if parameter.requires_grad)


if __name__ == "__main__":
    torch.manual_seed(0)
    runs = []
    for name, (config, lists) in MODELS.items():
        content = {"architectures": [name], **config}
        runs.append({"config": content, "trained": {targets: trained(name, config, targets) for targets in lists}})
    versions = {"peft": peft.__version__, "transformers": transformers.__version__, "torch": torch.__version__}
    json.dump({"measured_with": versions, "rank": RANK, "runs": runs}, sys.stdout, indent=1)
