"""Keys that are close to a size of a family: a slip of the pen, or the spelling of another library."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import lru_cache

SPELLINGS = """
hidden_size d_model n_embd n_embed dim model_dim embed_dim embedding_dim d_embed emb_dim embedding_size width
    hidden_dim n_state model_size d_hidden
intermediate_size hidden_dim ffn_dim d_ff dff n_inner ffn_hidden_size ff_dim mlp_dim ffn_size feed_forward_dim
    feedforward_dim mlp_hidden_size mlp_size inner_dim d_ffn dim_feedforward encoder_ffn_dim n_mlp d_mlp
    ffn_intermediate_size feed_forward_size
num_hidden_layers n_layer n_layers num_layers layers depth n_blocks num_blocks encoder_layers nlayers n_block
    num_transformer_layers layer_count num_encoder_layers
num_attention_heads n_head n_heads num_heads heads nhead nheads attention_heads n_attention_heads num_q_heads n_q_heads
    encoder_attention_heads num_query_heads n_attn_heads
num_key_value_heads n_kv_heads num_kv_heads n_head_kv n_kv_head kv_heads num_query_groups n_query_groups
    multi_query_group_num num_kv_groups n_kv_groups attention_head_kv
head_dim d_kv d_head kv_channels attention_head_size head_size dim_head size_per_head attention_head_dim d_k headdim
    attention_key_size
max_position_embeddings n_positions n_ctx max_seq_len max_seq_length max_sequence_length seq_length context_length
    block_size seq_len sequence_length max_context_length max_positions n_seq ctx_len
vocab_size n_vocab vocabulary_size padded_vocab_size vocab num_tokens n_words vocab_dim
num_local_experts num_experts n_routed_experts moe_num_experts n_experts num_moe_experts num_routed_experts expert_num
    moe_experts
num_experts_per_tok num_experts_per_token experts_per_token moe_topk moe_top_k moe_k n_activated_experts
    num_experts_per_topk moe_router_topk num_selected_experts n_expert_used
moe_intermediate_size moe_ffn_dim expert_ffn_dim moe_inter_dim moe_ffn_hidden_size expert_hidden_size moe_hidden_dim
    expert_intermediate_size
sliding_window window_size sliding_window_size attention_window local_attention_window
state_size d_state ssm_state_size state_dim
conv_kernel d_conv conv_size conv_kernel_size
expand expansion_factor ssm_expand
time_step_rank dt_rank
image_size img_size input_size resolution
patch_size patch patch_dim
num_channels in_channels in_chans n_channels channels
num_mel_bins n_mels n_mel mel_bins
"""
"""Sizes, one a line, each with its spellings in the files of other libraries (Meta's and Mistral's params.json,
GPT-2's, Megatron's, timm's, of state-space models)."""
OF_THE_WORKLOAD = {
    "batch": "batchsize bs microbatchsize",
    "seq_len": "seqlen seqlength sequencelength sequencelen",
    "cache_len": "cachelen cachelength pastlen",
}
"""Sizes of a workload, each with its spellings, without the marks between words."""
KINDS = {"count": "n num number count", "extent": "size dim dims dimension d units width length len"}
"""Words of a key that say what kind of number it is."""


def spellings(size: str) -> list[str]:
    """Returns the spellings of a size, its own first."""
    return next(group for group in _groups() if group[0] == size)


def stands_for(key: str, sizes: Collection[str]) -> str:
    """Returns the size that an unknown key stands for, in another spelling or with a slip; empty if none is close.

    >>> stands_for("n_layers", ["hidden_size", "num_hidden_layers"])
    'num_hidden_layers'
    >>> stands_for("hiden_size", ["hidden_size", "num_hidden_layers"])
    'hidden_size'
    """
    own = _plain(key)
    plain = {_plain(name): name for name in sizes}
    for spelling in (own, f"{own}s", own.removesuffix("s")):
        if spelling in plain:
            return plain[spelling]
    groups = [group for group in _groups() if own in map(_plain, group)]
    if not groups and (core := _core(key)):
        groups = [group for group in _groups()[::-1] if any(_alike(core, _core(name)) for name in group)]
    # hidden_dim is the width of the model or of its feed-forward network: the latter in Meta's and Mistral's files
    for group in reversed(groups):
        for name in group:
            if name in sizes:
                return name
    return slip(own, plain)


def other_spelling(key: str, sizes: Collection[str]) -> str:
    """Returns the one size that a key is another library's spelling of; empty if there is none or if there are several.
    A spelling of a size of the workload means that one: `seqlen` is how long a text is, not how many positions there
    may be.

    >>> other_spelling("d_model", ["n_embd", "n_layer"]), other_spelling("hidden_dim", ["hidden_size", "ffn_dim"])
    ('n_embd', '')
    >>> other_spelling("seqlen", ["seq_len", "n_positions"])
    'seq_len'
    """
    own = _plain(key)
    if of_workload := workload_spelling(key, sizes):
        return of_workload
    groups = [group for group in _groups() if own in map(_plain, group)]
    found = {name for group in groups for name in group if name in sizes}
    return found.pop() if len(found) == 1 else ""


def workload_spelling(key: str, sizes: Collection[str]) -> str:
    """Returns the size of a workload that a key is another spelling of; empty if there is none.

    >>> workload_spelling("seq_length", ["batch", "seq_len"])
    'seq_len'
    """
    own = _plain(key)
    return next((size for size, said in OF_THE_WORKLOAD.items() if size in sizes and own in said.split()), "")


@lru_cache(1)
def _groups() -> list[list[str]]:
    """Returns the sizes of `SPELLINGS`, each as its spellings."""
    return [line.split() for line in SPELLINGS.strip().replace("\n    ", " ").split("\n")]


@lru_cache(1_000)
def _core(key: str) -> tuple[str, frozenset[str]] | None:
    """Returns what a key counts or measures: whether it says that it is a count or an extent, and its other words.

    >>> _core("layer_num") == _core("n_layers") == ("count", frozenset({"layer"}))
    True
    """
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", key).lower())
    kinds = {kind for word in words for kind, said in KINDS.items() if word in said.split()}
    rest = frozenset(
        word.removesuffix("s") for word in words if not any(word in said.split() for said in KINDS.values())
    )
    return (kinds.pop() if len(kinds) == 1 else "", rest) if rest else None


def _alike(one: tuple[str, frozenset[str]], other: tuple[str, frozenset[str]] | None) -> bool:
    """Returns whether two keys say the same in another order, or with another word for the number: heads are not the
    width of a head."""
    return other is not None and one[1] == other[1] and (one[0] == other[0] or "" in (one[0], other[0]))


def slip(own: str, plain: Mapping[str, str]) -> str:
    """Returns the name that differs from a text by one letter, or in a long one by two; empty if none does. In a short
    name it is not the first letter."""
    found = [
        (edits(own, other, 2), name)
        for other, name in plain.items()
        if abs(len(own) - len(other)) <= 2 and (len(own) >= 5 or own[:1] == other[:1])
    ]
    most = 0 if len(own) < 4 else 1 if len(own) < 10 else 2
    return min((item for item in found if item[0] <= most), default=(0, ""))[1]


def edits(one: str, other: str, most: int) -> int:
    """Returns how many letters have to be added, removed, replaced or swapped with their neighbour to make one text of
    the other; more than `most` is `most + 1`."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            best = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before, last = last, row
        if min(row) > most:
            return most + 1
    return min(last[-1], most + 1)


@lru_cache(1_000)
def _plain(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())
