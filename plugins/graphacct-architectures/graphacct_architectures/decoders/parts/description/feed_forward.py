"""The feed-forward networks of a decoder: one, or experts behind a router."""

from __future__ import annotations

from typing import TypeAlias

from graphacct import Dim, frozen
from graphacct_architectures.decoders.parts.description.norm import Norm


@frozen
class Mlp:
    """A feed-forward network of one hidden layer.

    Attributes:
        width: The hidden layer's width.
        activation: Its operator, or several separated by spaces, the first applied first.
        gated: Whether the activation of one projection is multiplied with another.
        module: The module's name; empty if its projections are the layer's own.
        gate, up, down: The projections' names.
        joint: The name of one projection for gate and up together; empty if they are two.
        bias: Whether the projections have biases.
        dropout: The probability with which the hidden layer is dropped in training.
        norm: The name of a norm of the hidden layer; empty for none.
        act: The activation's name.
        in_out: Whether the projections' weights are stored (in, out).
        scaled: Whether the gate's projection and the output are each multiplied by a constant.
        cut: Whether the activated gate and the other projection are clamped.
        down_bias: Whether the way back has a bias; None if as the others.
        cut_first: Whether the gate is clamped from above, and the other projection from both sides, before the
            activation.
        clamped: Whether gate and projection are clamped to a range, as in gpt-oss; then they are joint.
        norm_kind: The kind of the norm of the hidden layer.
    """

    width: Dim
    activation: str
    gated: bool = True
    module: str = "mlp"
    gate: str = "gate_proj"
    up: str = "up_proj"
    down: str = "down_proj"
    joint: str = ""
    bias: bool = False
    dropout: float = 0.0
    norm: str = ""
    act: str = "act"
    in_out: bool = False
    scaled: bool = False
    cut: bool = False
    down_bias: bool | None = None
    cut_first: bool = False
    clamped: bool = False
    norm_kind: Norm = Norm()


@frozen
class Correction:
    """One score per expert that is added for the choice of experts alone, so that their loads stay even.

    Attributes:
        name: Its name.
        beside: Whether it belongs to the experts' module instead of the router's.
        frozen: Whether it is a parameter that is not trained, and not a buffer.
        row: Whether it is stored as a matrix of one row.
        wide: Whether it is stored in float32 whatever the model's dtype is.
    """

    name: str = "e_score_correction_bias"
    beside: bool = False
    frozen: bool = False
    row: bool = False
    wide: bool = True


@frozen
class Experts:
    """Feed-forward networks of which a router chooses a few for each token.

    Attributes:
        count: How many there are.
        per_token: How many a token runs through.
        width: The width of one expert's hidden layer.
        activation: Its operator or operators, as in Mlp.
        module: The module's name.
        router: The router's name.
        bias: Whether the experts' projections have biases.
        router_bias: Whether the router has one.
        in_out: Whether the experts' weights are stored (in, out).
        router_upcast: Whether the router's product always runs in float32.
        scoring: The router's scores: `softmax` over all experts, `top_softmax` over the chosen ones, `sigmoid` or
            `sqrt_softplus` of all, `top_sigmoid` of the chosen ones (`chosen_sigmoid` where a correction chose them),
            or `mixer`: each choice is a softmax over the scores near the largest.
        normalised: Whether the chosen weights are made to sum to 1.
        correction: Whether the choice is corrected by a buffer of one score per expert.
        downcast: Whether the weights are cast to the stream's dtype before they multiply the experts' outputs.
        scaled: Whether the weights are multiplied by a constant.
        groups: How many groups of experts the choice is first made among.
        chosen_groups: How many of these groups are taken.
        clamped: Whether gate and projection are clamped to a range, as in gpt-oss.
        shared: The network that every token runs through, or None.
        shared_gate: The name of its gate; empty for none.
        above_zero: The operator that keeps the chosen weights' sum above zero before it divides them: `shift`, `clamp`,
            or none (empty).
        corrected_by: The correction, if there is one.
        grouped: Whether the choice is made among groups even if there is one group.
        scores_upcast: Whether the router's product is cast to float32.
        router_wide: Whether the router's weight is stored in float32.
        shared_beside: Whether the shared network belongs to the layer instead of the experts' module.
        every: Whether every token runs through every expert; what it is multiplied by is 0 for those not chosen.
        out_norm: The name of a norm of the experts' output, the shared network's included; empty for none.
        shared_wide: Whether the shared network's output is added in float32.
        shared_averaged: Whether the sum with the shared network's output is multiplied by a constant.
        out_scaled: Whether the experts' output is multiplied by a constant before the shared network's is added.
        top_upcast: Whether a softmax over the chosen scores runs in float32.
        scores_capped: Whether the router's product is capped by a tanh.
        apart: The names of three weights that are stored apart, as matrices of all experts' rows: gate, projection and
            the way back, the last one (in, out); empty for two that are stacked.
        gated: Whether an expert is gated, as in Mlp.
        latent: The width that the stream is projected to before the experts, and back from after them; None for none.
        latent_in, latent_out: The names of these projections.
        latent_bias: Whether they have biases.
        cut: Whether the activated gate and the other projection are clamped.
        shared_mix: The name of a projection to two shares, by whose softmax the experts' output and the shared
            network's are added; empty for none.
        cut_first: Whether gate and the other projection are clamped before the activation, as in Mlp.
        hashed: How many ids a table has that says which experts a token runs through, by its id; None if the scores
            say.
        softmax_narrow: Whether a softmax over all experts runs in the scores' own dtype, not in float32.
        groups_by_two: Whether a group is as good as its two best experts even if there is no correction.
        router_weight: The name of the router's weight.
        stack: The name of the module that has the experts' weights.
        idle: How many more experts can be chosen that give back what they get. What is computed counts as if every
            expert were chosen as often as any other.
    """

    count: Dim
    per_token: Dim
    width: Dim
    activation: str
    module: str = "mlp"
    router: str = "gate"
    bias: bool = False
    router_bias: bool = False
    in_out: bool = False
    router_upcast: bool = False
    scoring: str = "softmax"
    normalised: bool = False
    correction: bool = False
    downcast: bool = False
    scaled: bool = False
    groups: Dim = 1
    chosen_groups: Dim = 1
    clamped: bool = False
    shared: Mlp | None = None
    shared_gate: str = ""
    above_zero: str = ""
    corrected_by: Correction = Correction()
    grouped: bool = False
    scores_upcast: bool = False
    router_wide: bool = False
    shared_beside: bool = False
    every: bool = False
    out_norm: str = ""
    apart: tuple[str, ...] = ()
    shared_wide: bool = False
    shared_averaged: bool = False
    out_scaled: bool = False
    top_upcast: bool = False
    scores_capped: bool = False
    gated: bool = True
    latent: Dim | None = None
    latent_in: str = "fc1_latent_proj"
    latent_out: str = "fc2_latent_proj"
    latent_bias: bool = False
    cut: bool = False
    shared_mix: str = ""
    cut_first: bool = False
    hashed: Dim | None = None
    softmax_narrow: bool = False
    groups_by_two: bool = False
    router_weight: str = "weight"
    idle: Dim = 0
    stack: str = "experts"


FeedForward: TypeAlias = Mlp | Experts
