"""Small models as their files describe them, for every form of file that is made of them. No key has the value that
stands for it where it is left out."""

from __future__ import annotations

LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 64,
}
VIT = {
    "model_type": "vit",
    "architectures": ["ViTModel"],
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "image_size": 32,
    "patch_size": 8,
}
BERT = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "vocab_size": 50,
}
LLAVA = {
    "model_type": "llava",
    "architectures": ["LlavaForConditionalGeneration"],
    "image_token_index": 60,
    "vision_feature_layer": -1,
    "vision_feature_select_strategy": "full",
    "vision_config": {
        "model_type": "clip_vision_model",
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": 32,
        "patch_size": 16,
        "projection_dim": 24,
    },
    "text_config": {**LLAMA, "rope_theta": 5000.0, "rope_scaling": {"rope_type": "linear", "factor": 2.0}},
}
QWEN2_VL = {
    "model_type": "qwen2_vl",
    "architectures": ["Qwen2VLForConditionalGeneration"],
    "text_config": {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": 64,
        "rope_scaling": {"type": "mrope", "mrope_section": [1, 1, 2]},
    },
    "vision_config": {
        "embed_dim": 16,
        "depth": 1,
        "num_heads": 2,
        "hidden_size": 32,
        "mlp_ratio": 2,
        "patch_size": 4,
        "spatial_merge_size": 1,
        "temporal_patch_size": 1,
    },
}
SPEECH = {
    "model_type": "speech-encoder-decoder",
    "architectures": ["SpeechEncoderDecoderModel"],
    "encoder": {
        "model_type": "wav2vec2",
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "conv_dim": [8, 8],
        "conv_kernel": [4, 2],
        "conv_stride": [4, 2],
        "num_conv_pos_embeddings": 8,
        "num_conv_pos_embedding_groups": 4,
        "mask_time_prob": 0.0,
    },
    "decoder": {
        "model_type": "bert",
        "is_decoder": True,
        "add_cross_attention": True,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 1,
        "num_attention_heads": 4,
        "vocab_size": 50,
    },
}
CLIP_TEXT = {
    "model_type": "clip_text_model",
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "vocab_size": 50,
}
TOWERS = {
    "embed_dim": 24,
    "quick_gelu": True,
    "vision_cfg": {
        "image_size": 32,
        "layers": 2,
        "width": 64,
        "patch_size": 8,
        "head_width": 32,
        "ls_init_value": 0.1,
        "no_ln_pre": True,
        "pool_type": "avg",
        "mlp_ratio": 2.5,
    },
    "text_cfg": {
        "context_length": 11,
        "vocab_size": 60,
        "width": 32,
        "heads": 4,
        "layers": 2,
        "ls_init_value": 0.1,
        "no_causal_mask": True,
        "pool_type": "last",
        "proj_bias": True,
        "mlp_ratio": 3.0,
    },
    "custom_text": True,
}
SENTENCES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    {"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"},
    {"idx": 3, "name": "3", "path": "3_Dropout", "type": "sentence_transformers.models.Dropout"},
    {"idx": 4, "name": "4", "path": "4_LayerNorm", "type": "sentence_transformers.models.LayerNorm"},
    {"idx": 5, "name": "5", "path": "5_Normalize", "type": "sentence_transformers.models.Normalize"},
]
POOLING = {"word_embedding_dimension": 32, "pooling_mode_cls_token": True, "pooling_mode_max_tokens": True}
DENSE = {
    "in_features": 64,
    "out_features": 16,
    "bias": False,
    "activation_function": "torch.nn.modules.activation.GELU",
    "use_residual": True,
}
SENTENCE = {
    "config.json": BERT,
    "modules.json": SENTENCES,
    "1_Pooling/config.json": POOLING,
    "2_Dense/config.json": DENSE,
    "3_Dropout/config.json": {"dropout": 0.5},
    "4_LayerNorm/config.json": {"dimension": 16},
}
