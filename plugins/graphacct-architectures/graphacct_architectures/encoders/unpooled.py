"""BERT without its pooler, as other models use it for their texts (Devlin et al., 2018, arXiv:1810.04805)."""

from __future__ import annotations

import attrs

from graphacct import Builder, Value, Workload, fields, frozen
from graphacct_architectures.encoders.bert import MODEL, BertConfig, of_class
from graphacct_architectures.encoders.parts.encode import encode


@frozen(kw_only=True)
class BertKeys(BertConfig):
    """The keys of a BERT inside another model."""

    model_type: str = fields.choice("bert", ("bert",))


def words(config: BertKeys, workload: Workload, b: Builder, *, masked: bool) -> Value:
    """Returns the last layer's states of each text, (batch, seq, width). The other model's mask of pairs is added to
    written-out scores if the text is `masked`; a fused kernel is given it."""
    described = attrs.evolve(of_class(config, MODEL), pooled=False)
    if masked and workload.attention == "eager":
        described = attrs.evolve(described, causal=True, both_ways=True)
    found = encode(described, workload, b)
    assert isinstance(found, Value)
    return found
