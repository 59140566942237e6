"""Small configurations of the families that are not decoders alone, drawn at random as files have them.

Sizes divide as they have to; everything else that could change a number is drawn or left out. What is drawn is valid:
the transformers library builds every model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import torch

TASKS = ("SequenceClassification", "TokenClassification", "QuestionAnswering", "MultipleChoice")
HEARD = ("CTC", "SequenceClassification", "AudioFrameClassification", "XVector")
CLASSES: dict[str, tuple[str, ...]] = {
    "bert": (
        *("BertModel", "BertForMaskedLM", "BertLMHeadModel", "BertForPreTraining", "BertForNextSentencePrediction"),
        *(f"BertFor{task}" for task in TASKS),
    ),
    "roberta": (
        *("RobertaModel", "RobertaForMaskedLM", "RobertaForCausalLM"),
        *(f"RobertaFor{task}" for task in TASKS),
    ),
    "rembert": (
        *("RemBertModel", "RemBertForMaskedLM", "RemBertForCausalLM"),
        *(f"RemBertFor{task}" for task in TASKS),
    ),
    "bert-generation": ("BertGenerationEncoder", "BertGenerationDecoder"),
    "dpr": ("DPRQuestionEncoder", "DPRContextEncoder"),
    "albert": (
        *("AlbertModel", "AlbertForMaskedLM", "AlbertForPreTraining"),
        *(f"AlbertFor{task}" for task in TASKS),
    ),
    "mpnet": ("MPNetModel", "MPNetForMaskedLM", *(f"MPNetFor{task}" for task in TASKS)),
    "deberta-v2": ("DebertaV2Model", "DebertaV2ForMaskedLM", *(f"DebertaV2For{task}" for task in TASKS)),
    "deberta": ("DebertaModel", "DebertaForMaskedLM", *(f"DebertaFor{task}" for task in TASKS[:-1])),
    "modernbert": ("ModernBertModel", "ModernBertForMaskedLM", *(f"ModernBertFor{task}" for task in TASKS)),
    "xlm-roberta-xl": (
        *("XLMRobertaXLModel", "XLMRobertaXLForMaskedLM", "XLMRobertaXLForCausalLM"),
        *(f"XLMRobertaXLFor{task}" for task in TASKS),
    ),
    "data2vec-text": (
        *("Data2VecTextModel", "Data2VecTextForMaskedLM", "Data2VecTextForCausalLM"),
        *(f"Data2VecTextFor{task}" for task in TASKS),
    ),
    "ernie": (
        *(
            "ErnieModel",
            "ErnieForMaskedLM",
            "ErnieForCausalLM",
            "ErnieForPreTraining",
            "ErnieForNextSentencePrediction",
        ),
        *(f"ErnieFor{task}" for task in TASKS),
    ),
    "distilbert": ("DistilBertModel", "DistilBertForMaskedLM", *(f"DistilBertFor{task}" for task in TASKS)),
    "electra": (
        *("ElectraModel", "ElectraForPreTraining", "ElectraForMaskedLM", "ElectraForCausalLM"),
        *(f"ElectraFor{task}" for task in TASKS),
    ),
    "t5": (
        *("T5ForConditionalGeneration", "T5Model", "T5EncoderModel"),
        *("T5ForTokenClassification", "T5ForQuestionAnswering"),
    ),
    "bart": ("BartForConditionalGeneration", "BartModel", "BartForQuestionAnswering", "BartForCausalLM"),
    "mt5": ("MT5ForConditionalGeneration", "MT5Model", "MT5EncoderModel", "MT5ForTokenClassification"),
    "umt5": (
        *("UMT5ForConditionalGeneration", "UMT5Model", "UMT5EncoderModel"),
        *("UMT5ForTokenClassification", "UMT5ForQuestionAnswering"),
    ),
    "mbart": ("MBartForConditionalGeneration", "MBartModel", "MBartForQuestionAnswering", "MBartForCausalLM"),
    "plbart": ("PLBartForConditionalGeneration", "PLBartModel", "PLBartForCausalLM"),
    "pegasus": ("PegasusForConditionalGeneration", "PegasusModel", "PegasusForCausalLM"),
    "marian": ("MarianMTModel", "MarianModel", "MarianForCausalLM"),
    "m2m_100": ("M2M100ForConditionalGeneration", "M2M100Model"),
    "blenderbot": ("BlenderbotForConditionalGeneration", "BlenderbotModel", "BlenderbotForCausalLM"),
    "blenderbot-small": (
        "BlenderbotSmallForConditionalGeneration",
        "BlenderbotSmallModel",
        "BlenderbotSmallForCausalLM",
    ),
    "whisper": (
        "WhisperForConditionalGeneration",
        "WhisperModel",
        "WhisperForAudioClassification",
        "WhisperForCausalLM",
    ),
    "wav2vec2": ("Wav2Vec2Model", *(f"Wav2Vec2For{head}" for head in HEARD)),
    "wav2vec2-conformer": ("Wav2Vec2ConformerModel", *(f"Wav2Vec2ConformerFor{head}" for head in HEARD)),
    "wav2vec2-bert": ("Wav2Vec2BertModel", *(f"Wav2Vec2BertFor{head}" for head in HEARD)),
    "wavlm": ("WavLMModel", *(f"WavLMFor{head}" for head in HEARD)),
    "hubert": ("HubertModel", "HubertForCTC", "HubertForSequenceClassification"),
    "unispeech": ("UniSpeechModel", "UniSpeechForCTC", "UniSpeechForSequenceClassification"),
    "unispeech-sat": ("UniSpeechSatModel", *(f"UniSpeechSatFor{head}" for head in HEARD)),
    "data2vec-audio": ("Data2VecAudioModel", *(f"Data2VecAudioFor{head}" for head in HEARD)),
    "sew": ("SEWModel", "SEWForCTC", "SEWForSequenceClassification"),
    "parakeet_encoder": ("ParakeetEncoder",),
    "parakeet_ctc": ("ParakeetForCTC",),
    "audio-spectrogram-transformer": ("ASTModel", "ASTForAudioClassification"),
    "vit": ("ViTModel", "ViTForImageClassification", "ViTForMaskedImageModeling"),
    "clip": ("CLIPModel", "CLIPForImageClassification"),
    "clip_text_model": ("CLIPTextModel", "CLIPTextModelWithProjection"),
    "clip_vision_model": ("CLIPVisionModel", "CLIPVisionModelWithProjection"),
    "resnet": ("ResNetModel", "ResNetForImageClassification"),
    "convnext": ("ConvNextModel", "ConvNextForImageClassification"),
    "mamba": ("MambaForCausalLM", "MambaModel"),
    "mamba2": ("Mamba2ForCausalLM", "Mamba2Model"),
    "jamba": ("JambaForCausalLM", "JambaModel"),
}
"""The first is what is measured where a file names none. Those that read the end of a text by its token's id, T5's and
BART's of sequences, cannot run without values; nor can Megatron-BERT, which makes a mask of ones and reads it."""
ACTS = ("gelu", "gelu_new", "quick_gelu", "relu", "relu2", "silu", "swish", "tanh")
LENGTH = 12
"""The longest sequence that every model takes."""


WITH_DECODER = ("t5", "mt5", "umt5", "bart", "mbart", "plbart", "pegasus", "marian", "m2m_100", "blenderbot")
WITH_DECODER += ("blenderbot-small",)


def drawn(
    family: str, random: Random, name: str = "", draw: Mapping[str, Callable[[Random], dict[str, Any]]] | None = None
) -> dict[str, Any]:
    """The content of a config.json, of the class `name` or of any."""
    content: dict[str, Any] = {"model_type": family, **(draw or DRAW)[family](random)}
    if family != "deberta":  # whose biases are always in float32
        content |= random.choice(({}, {"dtype": "bfloat16"}, {"torch_dtype": "float32"}, {"dtype": None}))
    if name or random.random() < 0.9:
        content["architectures"] = [name or random.choice(CLASSES[family])]
    if "ModernBertForMultipleChoice" in content.get("architectures", ()):
        content["classifier_pooling"] = "cls"  # the mean needs a mask of the padding
    names = {str(index): f"class {index}" for index in range(random.choice((1, 3, 5)))}
    if "QuestionAnswering" not in str(content.get("architectures")):
        content |= random.choice(({}, {"num_labels": 4}, {"id2label": names}, {"id2label": names, "num_labels": 4}))
    return content


def some(random: Random, **values: Any) -> dict[str, Any]:
    """Some of the keys; the others have the defaults of their class."""
    return {key: value for key, value in values.items() if random.random() < 0.6}


def yes(random: Random) -> bool:
    return random.random() < 0.5


def like_bert(random: Random) -> dict[str, Any]:
    heads = random.randint(1, 3)
    return {
        **{"vocab_size": random.randint(20, 60), "hidden_size": 4 * heads, "num_attention_heads": heads},
        **{"num_hidden_layers": random.randint(1, 4), "intermediate_size": random.randint(5, 30)},
        **{"max_position_embeddings": LENGTH + 4, "hidden_act": random.choice(ACTS)},
        **some(random, type_vocab_size=random.randint(1, 3), tie_word_embeddings=yes(random), is_decoder=yes(random)),
        **some(random, classifier_dropout=random.choice((None, 0.2)), pad_token_id=random.randint(0, 3)),
    }


def electra(random: Random) -> dict[str, Any]:
    summary = {"summary_type": random.choice(("first", "last", "mean", "cls_index")), "summary_use_proj": yes(random)}
    return {**like_bert(random), **some(random, embedding_size=random.choice((4, 7, 12)), **summary)}


def rembert(random: Random) -> dict[str, Any]:
    sizes = {"input_embedding_size": random.choice((4, 7, 12)), "output_embedding_size": random.choice((4, 9))}
    return {**like_bert(random), **sizes, **some(random, classifier_dropout_prob=0.2)}


def dpr(random: Random) -> dict[str, Any]:
    return {**like_bert(random), "is_decoder": False, **some(random, projection_dim=random.choice((0, 3)))}


def albert(random: Random) -> dict[str, Any]:
    content = {**like_bert(random), "embedding_size": random.choice((4, 7, 8)), "inner_group_num": 1}
    layers = content["num_hidden_layers"]
    own = some(random, num_hidden_groups=random.randint(1, layers), classifier_dropout_prob=0.2)
    if layers == own.get("num_hidden_groups"):
        content["inner_group_num"] = random.randint(1, 2)
    return {**content, **own, "is_decoder": False}


def mpnet(random: Random) -> dict[str, Any]:
    return {**like_bert(random), "is_decoder": False, "relative_attention_num_buckets": random.choice((32, 40))}


def deberta(random: Random) -> dict[str, Any]:
    kinds = random.choice((None, "c2p|p2c", "p2c", ["c2p"], ["p2c", "c2p"]))
    content = {**like_bert(random), "is_decoder": False, "relative_attention": kinds is not None, "pos_att_type": kinds}
    own = some(random, embedding_size=7, position_biased_input=yes(random), talking_head=yes(random))
    pooler = some(random, pooler_dropout=0.1, pooler_hidden_act=random.choice(ACTS), cls_dropout=0.3)
    content |= own | pooler | some(random, max_relative_positions=random.choice((-1, 5, 20)), type_vocab_size=2)
    return content


def deberta_v2(random: Random) -> dict[str, Any]:
    content = deberta(random)
    own = some(random, position_buckets=random.choice((-1, 4)), share_att_key=yes(random))
    convolution = some(random, conv_kernel_size=random.choice((0, 3)), conv_act="gelu")
    return {**content, **own, **convolution, **some(random, norm_rel_ebd=random.choice(("none", "layer_norm")))}


def modernbert(random: Random) -> dict[str, Any]:
    heads, layers = random.randint(1, 3), random.randint(1, 7)
    biases = {
        key: yes(random) for key in ("attention_bias", "mlp_bias", "norm_bias", "decoder_bias", "classifier_bias")
    }
    listed = [random.choice(("full_attention", "sliding_attention")) for _ in range(layers)]
    pattern = random.choice(({}, {"layer_types": listed}, {"global_attn_every_n_layers": random.randint(1, 4)}))
    rest = some(random, classifier_pooling=random.choice(("cls", "mean")), attention_dropout=0.1, mlp_dropout=0.1)
    rest |= some(random, hidden_activation=random.choice(ACTS), classifier_activation=random.choice(ACTS))
    sizes = {"vocab_size": 40, "hidden_size": 4 * heads, "num_attention_heads": heads, "num_hidden_layers": layers}
    tokens = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 1)
    own = some(random, local_attention=random.choice((4, 128)), tie_word_embeddings=yes(random), **biases)
    return {**sizes, **tokens, **pattern, **rest, **own, "intermediate_size": random.randint(5, 30)}


def distilbert(random: Random) -> dict[str, Any]:
    heads = random.randint(1, 3)
    content = {"dim": 4 * heads, "n_heads": heads, "n_layers": random.randint(1, 4), "vocab_size": 40}
    newer = {"dim": "hidden_size", "n_heads": "num_attention_heads", "n_layers": "num_hidden_layers"}
    content = content if yes(random) else {newer.get(key, key): value for key, value in content.items()}
    rest = some(random, activation=random.choice(ACTS), tie_word_embeddings=yes(random), tie_weights_=True)
    return {**content, **rest, "hidden_dim": random.randint(5, 30), "max_position_embeddings": LENGTH}


def t5(random: Random) -> dict[str, Any]:
    kind = random.choice(("relu", "gated-gelu", "gated-silu", "gelu"))
    return {
        **{"vocab_size": 40, "d_model": random.choice((8, 9)), "d_ff": random.randint(5, 30)},
        **{"num_layers": random.randint(1, 3), "num_heads": random.randint(1, 3)},
        **some(random, d_kv=random.randint(2, 8), num_decoder_layers=random.choice((None, 1, 4))),
        **some(random, feed_forward_proj=kind, is_gated_act=yes(random), tie_word_embeddings=yes(random)),
        **some(random, relative_attention_num_buckets=8, scale_decoder_outputs=yes(random), n_positions=512),
    }


def stacks(random: Random) -> dict[str, Any]:
    sides = {
        f"{side}_{key}": value
        for side in ("encoder", "decoder")
        for key, value in (
            ("layers", random.randint(1, 3)),
            ("attention_heads", random.randint(1, 3)),
            ("ffn_dim", random.randint(5, 30)),
        )
    }
    rest = some(random, activation_function=random.choice(ACTS), tie_word_embeddings=yes(random), scale_embedding=True)
    tokens = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1}
    return {"vocab_size": 40, "d_model": 12, **tokens, **sides, **rest}


def bart(random: Random) -> dict[str, Any]:
    older = {"extra_pos_embeddings": 2, "normalize_before": False, "static_position_embeddings": False}
    translated = some(random, num_hidden_layers=random.randint(1, 3))
    return {**stacks(random), **some(random, **older), **translated, "max_position_embeddings": LENGTH + 2}


def marian(random: Random) -> dict[str, Any]:
    own = some(random, share_encoder_decoder_embeddings=yes(random), decoder_vocab_size=random.choice((None, 40, 31)))
    return {**bart(random), **own}


def m2m(random: Random) -> dict[str, Any]:
    return {**bart(random), "encoder_layerdrop": 0.0, "decoder_layerdrop": 0.0, **some(random, pad_token_id=1)}


def whisper(random: Random) -> dict[str, Any]:
    own = some(random, num_mel_bins=5, classifier_proj_size=6, use_weighted_layer_sum=yes(random))
    return {**stacks(random), **own, "max_source_positions": 10, "max_target_positions": LENGTH + 2}


def tower(random: Random) -> dict[str, Any]:
    heads = random.randint(1, 3)
    return {
        **{"hidden_size": 4 * heads, "num_attention_heads": heads, "num_hidden_layers": random.randint(1, 3)},
        **{"intermediate_size": random.randint(5, 30), **some(random, hidden_act=random.choice(ACTS))},
    }


def vit(random: Random) -> dict[str, Any]:
    patch = random.choice((2, 4))
    return {
        **{**tower(random), "patch_size": patch, "image_size": patch * random.randint(1, 3) + random.randint(0, 1)},
        **some(random, qkv_bias=yes(random), num_channels=1, head_dim=3, pooler_output_size=5, encoder_stride=2),
    }


def text(random: Random) -> dict[str, Any]:
    return {**tower(random), "vocab_size": 40, "max_position_embeddings": LENGTH, **some(random, projection_dim=7)}


def vision(random: Random) -> dict[str, Any]:
    patch = random.choice((2, 4))
    sizes = {"patch_size": patch, "image_size": patch * random.randint(1, 3) + random.randint(0, 1)}
    return {**tower(random), **sizes, **some(random, projection_dim=7, num_channels=1)}


def clip(random: Random) -> dict[str, Any]:
    older = some(random, text_config_dict=random.choice((None, {}, text(random))), vision_config_dict=None)
    return {"text_config": text(random), "vision_config": vision(random), "projection_dim": 6, **older}


def staged(random: Random) -> dict[str, Any]:
    count = random.randint(1, 3)
    widths = [4 * random.randint(1, 3) for _ in range(count)]
    rest = some(random, hidden_act=random.choice(ACTS), num_channels=1)
    return {"hidden_sizes": widths, "depths": [random.randint(1, 3) for _ in range(count)], **rest}


def resnet(random: Random) -> dict[str, Any]:
    kind = {"layer_type": random.choice(("basic", "bottleneck")), "downsample_in_first_stage": yes(random)}
    return {**staged(random), **some(random, embedding_size=8, downsample_in_bottleneck=yes(random), **kind)}


def convnext(random: Random) -> dict[str, Any]:
    content = staged(random)
    own = some(random, patch_size=2, layer_scale_init_value=random.choice((0.0, 1e-6)))
    return {**content, **own, random.choice(("num_stages", "num_hidden_layers")): len(content["depths"])}


def mamba(random: Random) -> dict[str, Any]:
    return {
        **{"vocab_size": 40, "hidden_size": random.choice((8, 20)), "num_hidden_layers": random.randint(1, 3)},
        **some(random, state_size=3, expand=random.randint(1, 3), conv_kernel=3, use_bias=True, use_conv_bias=False),
        **some(random, time_step_rank=random.choice(("auto", 3)), intermediate_size=12, tie_word_embeddings=False),
        **some(random, residual_in_fp32=False, hidden_act=random.choice(ACTS), d_model=32, n_layer=7, ssm_cfg={}),
    }


def mamba2(random: Random) -> dict[str, Any]:
    groups, expand = random.randint(1, 2), random.randint(1, 2)
    heads = groups * random.randint(1, 2)
    return {
        **{"vocab_size": 40, "hidden_size": 4 * heads // expand, "num_hidden_layers": random.randint(1, 3)},
        **{"num_heads": heads, "head_dim": 4, "expand": expand, "n_groups": groups, "chunk_size": random.randint(2, 8)},
        **some(random, state_size=3, conv_kernel=3, use_bias=True, use_conv_bias=False, tie_word_embeddings=True),
    }


def jamba(random: Random) -> dict[str, Any]:
    shared, attention, expert = (random.randint(1, 3) for _ in range(3))
    heads = shared * random.randint(1, 2)
    return {
        **{"vocab_size": 40, "hidden_size": 4 * heads, "num_hidden_layers": random.randint(1, 5)},
        **{"num_attention_heads": heads, "num_key_value_heads": shared, "intermediate_size": random.randint(5, 30)},
        **{"attn_layer_period": attention, "attn_layer_offset": random.randrange(attention)},
        **{"expert_layer_period": expert, "expert_layer_offset": random.randrange(expert)},
        **{random.choice(("num_experts", "num_local_experts")): random.randint(2, 4)},
        **some(random, mamba_d_state=3, mamba_d_conv=2, mamba_dt_rank=random.choice(("auto", 3)), mamba_proj_bias=True),
        **some(random, hidden_act=random.choice(ACTS), num_experts_per_tok=1, tie_word_embeddings=True, head_dim=6),
    }


def sound(random: Random) -> dict[str, Any]:
    """What encoders of sound share. Layers and masks are not left to chance, since a tensor without data has none."""
    heads = random.randint(1, 3)
    return {
        **{"hidden_size": 4 * heads, "num_attention_heads": heads, "num_hidden_layers": random.randint(1, 3)},
        **{"intermediate_size": random.randint(5, 20), "layerdrop": 0.0, "vocab_size": 11, "xvector_output_dim": 5},
        **{"classifier_proj_size": 5, "tdnn_dim": [6, 4], "tdnn_kernel": [3, 2], "tdnn_dilation": [1, 2]},
        **random.choice(({"mask_time_prob": 0.0}, {"apply_spec_augment": False, "mask_feature_prob": 0.1})),
        **some(random, hidden_act=random.choice(ACTS), use_weighted_layer_sum=yes(random), hidden_dropout=0.2),
    }


def waves(random: Random) -> dict[str, Any]:
    count = random.randint(1, 4)
    return {
        **{**sound(random), "conv_dim": [random.choice((4, 6, 8)) for _ in range(count)]},
        **{"conv_kernel": [random.randint(1, 5) for _ in range(count)]},
        **{"conv_stride": [random.randint(1, 2) for _ in range(count)]},
        **{"num_conv_pos_embeddings": random.randint(2, 5), "num_conv_pos_embedding_groups": random.choice((1, 2, 4))},
        **some(random, conv_bias=yes(random), do_stable_layer_norm=yes(random), adapter_attn_dim=3),
        **some(random, feat_extract_norm=random.choice(("layer", "group")), feat_extract_activation="relu"),
        **some(random, conv_pos_batch_norm=True, feat_proj_layer_norm=False, num_buckets=8, squeeze_factor=3),
        **some(random, conv_pos_kernel_size=random.randint(2, 5)),
    }


def conformer(random: Random) -> dict[str, Any]:
    kinds = {"position_embeddings_type": random.choice((None, "relative", "rotary"))}
    return {**waves(random), "conv_depthwise_kernel_size": random.choice((3, 5)), **some(random, **kinds)}


def conformer_of_frames(random: Random) -> dict[str, Any]:
    kinds = {"position_embeddings_type": random.choice((None, "relative", "rotary", "relative_key"))}
    sizes = {"feature_projection_input_dim": 6, "conv_depthwise_kernel_size": random.choice((3, 5))}
    ends = some(random, left_max_position_embeddings=4, right_max_position_embeddings=2)
    return {**sound(random), **sizes, **some(random, **kinds), **ends}


def parakeet(random: Random) -> dict[str, Any]:
    heads = random.randint(1, 3)
    return {
        **{"hidden_size": 4 * heads, "num_attention_heads": heads, "num_hidden_layers": random.randint(1, 3)},
        **{"intermediate_size": random.randint(5, 20), "layerdrop": 0.0, "conv_kernel_size": random.choice((3, 5))},
        **{"subsampling_factor": random.choice((2, 4, 8)), "subsampling_conv_channels": random.choice((4, 6))},
        **{"num_mel_bins": 16, "dropout": 0.0, "activation_dropout": 0.0, "attention_dropout": 0.0},
        **some(random, attention_bias=False, convolution_bias=False, hidden_act=random.choice(ACTS), scale_input=False),
    }


def parakeet_with_head(random: Random) -> dict[str, Any]:
    return {"vocab_size": 13, "pad_token_id": 12, "encoder_config": parakeet(random)}


def spectrum(random: Random) -> dict[str, Any]:
    strides = some(random, frequency_stride=random.randint(2, 5), time_stride=random.randint(2, 5))
    sizes = {"patch_size": random.choice((4, 6)), "max_length": 24, "num_mel_bins": random.randint(8, 14)}
    return {**tower(random), **sizes, **strides, **some(random, qkv_bias=yes(random), head_dim=6)}


DRAW = {
    **{"rembert": rembert, "bert-generation": like_bert, "dpr": dpr},
    **{"bert": like_bert, "roberta": like_bert, "distilbert": distilbert, "electra": electra, "t5": t5, "bart": bart},
    **{"mt5": t5, "umt5": t5, "mbart": bart, "plbart": bart, "pegasus": bart, "marian": marian, "m2m_100": m2m},
    **{"blenderbot": bart, "blenderbot-small": bart},
    **{"albert": albert, "mpnet": mpnet, "deberta": deberta, "deberta-v2": deberta_v2, "modernbert": modernbert},
    **dict.fromkeys(("xlm-roberta-xl", "data2vec-text"), like_bert),
    "ernie": lambda random: {**like_bert(random), **some(random, use_task_id=yes(random), task_type_vocab_size=4)},
    **{"whisper": whisper, "vit": vit, "clip": clip, "clip_text_model": text, "clip_vision_model": vision},
    **dict.fromkeys(("wav2vec2", "wavlm", "hubert", "unispeech", "unispeech-sat", "data2vec-audio", "sew"), waves),
    **{
        "wav2vec2-conformer": conformer,
        "wav2vec2-bert": conformer_of_frames,
        "audio-spectrogram-transformer": spectrum,
    },
    **{"parakeet_encoder": parakeet, "parakeet_ctc": parakeet_with_head},
    **{"resnet": resnet, "convnext": convnext, "mamba": mamba, "mamba2": mamba2, "jamba": jamba},
}


def workloads(content: dict[str, Any]) -> list[dict[str, Any]]:
    """What a model of the file is run on: for texts two lengths, for images its size, or two where it takes any."""
    family, name = content["model_type"], str(content.get("architectures"))
    image = content.get("vision_config", content).get("image_size")
    if "conv_stride" in content:
        return [{"batch": 1, "samples": 70}, {"batch": 2, "samples": 101}]
    if family in ("parakeet_encoder", "parakeet_ctc"):
        return [{"batch": 1, "frames": 41}, {"batch": 2, "frames": 60}]
    if family in ("audio-spectrogram-transformer", "wav2vec2-bert"):
        return [{"batch": 1, "frames": 24}, {"batch": 2, "frames": 24}]
    if family in ("resnet", "convnext"):
        return [{"batch": 2, "image_size": (70, 65)}, {"batch": 3, "image_size": (64, 64)}]
    sizes = [{"batch": 1, "seq_len": 7}, {"batch": 3, "seq_len": LENGTH}]
    if family in WITH_DECODER and not any(
        alone in name for alone in ("EncoderModel", "TokenClassification", "CausalLM")
    ):
        sizes[0]["encoder_seq_len"] = 10
    if "MultipleChoice" in name:
        return [{**size, "choices": count} for size, count in zip(sizes, (3, 2), strict=True)]
    if family in ("vit", "clip_vision_model"):
        return [{"batch": size["batch"], "image_size": (image, image)} for size in sizes]
    return [{**size, "image_size": (image, image)} if family == "clip" else size for size in sizes]


def given(model: Any, sizes: dict[str, Any]) -> dict[str, Any]:
    """What the model's function is given for a workload, on the meta device."""
    config, name, batch = model.config, type(model).__name__, sizes["batch"]

    def ids(count: int) -> torch.Tensor:
        return torch.zeros((batch, count), dtype=torch.long, device="meta")

    def numbers(*shape: int) -> torch.Tensor:
        return torch.zeros((batch, *shape), device="meta", dtype=model.dtype)

    found: dict[str, Any] = {}
    if "image_size" in sizes:
        channels = getattr(config, "vision_config", config).num_channels
        found["pixel_values"] = numbers(channels, *sizes["image_size"])
    if "samples" in sizes:
        return {"input_values": numbers(sizes["samples"])}
    if "frames" in sizes:
        part = getattr(config, "encoder_config", config)
        bins = getattr(part, "num_mel_bins", None) or part.feature_projection_input_dim
        return {model.main_input_name: numbers(sizes["frames"], bins)}
    if model.main_input_name == "input_features":
        found["input_features"] = numbers(config.num_mel_bins, 2 * config.max_source_positions)
    if "MultipleChoice" in name:
        return {"input_ids": ids(sizes["seq_len"]).unsqueeze(1).repeat(1, sizes["choices"], 1)}
    if "seq_len" not in sizes or name.endswith(("ForImageClassification", "ForAudioClassification")):
        return found
    seq = sizes["seq_len"]
    if config.is_encoder_decoder and not name.endswith(("EncoderModel", "TokenClassification")):
        if "input_features" not in found:
            found["input_ids"] = ids(sizes.get("encoder_seq_len", seq))
        return {**found, "decoder_input_ids": ids(seq), "use_cache": False}
    found["input_ids"] = ids(seq)
    cached = name.startswith(("Mamba", "Jamba")) or name.endswith("ForCausalLM")
    return {**found, "use_cache": False} if cached else found
