"""Conventions of papers and tools: why their figures of FLOPs differ (docs/conventions.md).

Each formula gives what a published figure of the forward pass has of one run of a node, by term; a step is three times
that. N counts a parameter at the node that its storage is attributed to, tied ones once, 2 FLOPs for each token.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from graphacct import Convention, Cost, CountedNode, Dim, Node, evolve, exact_div
from graphacct_operators.quantities import active_params

Terms: TypeAlias = Mapping[str, Dim]


def of_parameters(part: CountedNode) -> dict[str, Dim]:
    """Returns 2 · parameters · tokens of all parameters, so 6 in a step."""
    terms: dict[str, Dim] = {}
    if part.table and not part.shared:
        terms["positions" if part.by_position else "embeddings"] = 2 * part.matrices * part.tokens
    else:
        terms[part.product_term] = 2 * part.matrices * part.tokens
    terms["norms" if part.role == "norms" else "biases"] = 2 * part.vectors * part.tokens
    return terms


def core(part: CountedNode) -> dict[str, Dim]:
    """Returns the scores and weighted values, 4 · batch · heads · width of a head · seq_len² if all pairs count."""
    return {"attention": part.cost.matmul_flops} if part.in_core else {}


def six_n_d(part: CountedNode) -> Terms:
    return of_parameters(part)


def palm(part: CountedNode) -> Terms:
    return of_parameters(part) | core(part)


def nanogpt(part: CountedNode) -> Terms:
    return _without(palm(part), "positions")


def torchtitan(part: CountedNode) -> Terms:
    terms = _without(palm(part), "positions", "embeddings")
    if part.role == "experts":  # those that a token is sent to, with their biases
        for term in ("experts", "biases"):
            terms.pop(term, None)
        for parameter in part.owned:
            term = "biases" if part.adds(parameter) else "experts"
            terms[term] = terms.get(term, 0) + 2 * part.tokens * active_params(parameter, part.node)
    return terms


def hf_trainer(part: CountedNode) -> Terms:
    """Returns 2 · parameters · tokens without tables, one that a head shares included."""
    return {} if part.table else of_parameters(part)


def kaplan(part: CountedNode) -> Terms:
    """Returns the same, and of a forward pass alone the scores and values as well, of which a mask leaves half."""
    return hf_trainer(part) if part.training else {**hf_trainer(part), **core(part)}


def products(part: CountedNode) -> Terms:
    """Returns the contractions, each as it is: 2 · tokens · inputs · outputs of a matrix. Megatron-LM's formula has the
    experts that a token is sent to, and not the router that sends it."""
    return {} if part.role == "router" else {part.product_term: part.cost.matmul_flops}


def chinchilla(part: CountedNode) -> Terms:
    """Returns the contractions, the lookup of each table as a product (2 · seq_len · vocabulary · d_model), and 3 for
    each score of attention."""
    terms: dict[str, Dim] = {part.product_term: part.cost.matmul_flops, "element-wise": 3 * part.scores}
    if part.table:
        terms = {"positions" if part.by_position else "embeddings": 2 * part.matrices * part.tokens}
    return terms


def chinchilla_a4(part: CountedNode) -> Terms:
    return {} if part.table or part.role == "head" else chinchilla(part)


def _without(terms: Mapping[str, Dim], *left_out: str) -> dict[str, Dim]:
    return {term: value for term, value in terms.items() if term not in left_out}


def macs(node: Node, cost: Cost, ordinal: int) -> Cost:
    """Multiply-adds of contractions, one each."""
    return evolve(cost, matmul_flops=exact_div(cost.matmul_flops, 2), vector_flops=0, transcendentals=0)


def xla(node: Node, cost: Cost, ordinal: int) -> Cost:
    """Everything but transcendentals, which XLA counts in a column of their own."""
    return evolve(cost, vector_flops=cost.vector_flops - cost.transcendentals, transcendentals=0)


PER_ELEMENT = {"layer_norm": (4, 5), "group_norm": (4, 5), "batch_norm": (1, 2)}
"""fvcore's FLOPs per element of a normalization without and with gains."""
UNSEEN = ("scaled_dot_product_attention", "scaled_dot_product_attention_with_sinks", "latent_attention")
"""Contractions that fvcore has no handle for, so that it counts none."""


def fvcore(node: Node, cost: Cost, ordinal: int) -> Cost:
    """Multiply-adds of products and convolutions, norms per element, and nothing else."""
    counted = macs(node, cost, ordinal)
    if node.operator in UNSEEN:
        return evolve(counted, matmul_flops=0)
    factors = PER_ELEMENT.get(node.operator)
    if factors is None:
        return counted
    gains = any(not parameter.buffer for parameter in node.parameters)
    return evolve(counted, vector_flops=factors[gains] * node.outputs[0].spec.elements)


def no_work(node: Node, cost: Cost, ordinal: int) -> Cost:
    return Cost()


PUBLISHED = (
    Convention("6nd", "6 N D: 6 for each parameter and token.", formula=six_n_d),
    Convention(
        "palm-mfu",
        "6 N + 12 L H Q T a token: PaLM (Chowdhery et al., 2022, appendix B); N is all parameters, attention in full.",
        formula=palm,
    ),
    Convention("nanogpt", "PaLM's formula with N less the learned positions: nanoGPT's estimate_mfu.", formula=nanogpt),
    Convention(
        "torchtitan",
        "PaLM's formula with N less tables of embeddings, unless a head shares them, and of experts those that a token "
        "is sent to: torchtitan.",
        formula=torchtitan,
    ),
    Convention(
        "hf-trainer",
        "6 N a token with N less tables of embeddings, shared ones too, and no attention: the transformers library's "
        "Trainer.",
        formula=hf_trainer,
    ),
    Convention(
        "kaplan",
        "6 N a token with N less tables of embeddings; a forward pass alone is 2 N + 2 L n_ctx d_attn: Kaplan et al. "
        "(2020, section 2.1).",
        formula=kaplan,
        mask="half",
    ),
    Convention(
        "chinchilla",
        "Contractions, lookups as products, 3 for each score: Hoffmann et al. (2022, appendix F).",
        formula=chinchilla,
    ),
    Convention(
        "chinchilla-a4",
        "The same without tables and head, as the ratios of their table A4 come out.",
        formula=chinchilla_a4,
    ),
    Convention(
        "megatron",
        "Contractions, attention in full: Narayanan et al. (2021), 72 B s l h² (1 + s/6h + V/12lh), and Megatron-LM of "
        "2024.",
        formula=products,
    ),
    Convention(
        "megatron-recompute",
        "The same with each layer run forward again: 96 B s l h² (1 + s/6h + V/16lh), Narayanan et al. (2021).",
        formula=products,
        layers_again=True,
    ),
    Convention(
        "megatron-2025",
        "Contractions, of attention the causal half: Megatron-LM of 2025.",
        formula=products,
        mask="half",
    ),
    Convention(
        "fvcore",
        "Multiply-adds of products and convolutions, norms at 5 per element, fused attention unseen; forward alone.",
        fvcore,
        backward=no_work,
    ),
    Convention("xla", "Everything but transcendentals, which XLA has in a column of their own.", xla),
    Convention("macs", "Multiply-adds of contractions, one each.", macs),
)
