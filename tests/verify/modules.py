"""The worksheet's model in torch, to be measured: RMSNorm, rotary positions, SwiGLU, an untied head, no biases.

Module and parameter names are those of graphacct's `transformer-lm`. Attention is written out, because torch's counter
gives a fused one 0 on the CPU.
"""

from __future__ import annotations

from torch import Tensor, arange, inf, nn, ones, outer
from torch.nn.functional import silu


class RMSNorm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(ones(width))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        return (wide * (wide.square().mean(dim=-1, keepdim=True) + 1e-5).rsqrt() * self.weight).to(x.dtype)


class Rotary(nn.Module):
    """Turns the two halves of each head by the position's angles."""

    def __init__(self, length: int, width: int) -> None:
        super().__init__()
        angles = outer(arange(length), 10000.0 ** (-arange(0, width, 2) / width))
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[-2]
        cos, sin = self.cos[:length], self.sin[:length]
        first, second = x.chunk(2, dim=-1)
        turned = x.new_empty(x.shape)
        turned[..., : cos.shape[-1]] = first * cos - second * sin
        turned[..., cos.shape[-1] :] = first * sin + second * cos
        return turned


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        for name in ("q_proj", "k_proj", "v_proj", "output_proj"):
            setattr(self, name, nn.Linear(width, width, bias=False))

    def forward(self, x: Tensor, rope: Rotary) -> Tensor:
        batch, length, width = x.shape
        q, k, v = (
            project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        scores = rope(q) @ rope(k).transpose(-2, -1) * (width // self.heads) ** -0.5
        future = ones(length, length, dtype=bool, device=x.device).triu(1)
        weights = scores.masked_fill(future, -inf).softmax(dim=-1)
        return self.output_proj((weights @ v).transpose(1, 2).reshape(batch, length, width))


class SwiGLU(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.w1 = nn.Linear(width, inner, bias=False)
        self.w2 = nn.Linear(inner, width, bias=False)
        self.w3 = nn.Linear(width, inner, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.w2(silu(self.w1(x)) * self.w3(x))


class Layer(nn.Module):
    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.ln1 = RMSNorm(width)
        self.attn = Attention(width, heads)
        self.ln2 = RMSNorm(width)
        self.ffn = SwiGLU(width, inner)

    def forward(self, x: Tensor, rope: Rotary) -> Tensor:
        x = x + self.attn(self.ln1(x), rope)
        return x + self.ffn(self.ln2(x))


class WorksheetLM(nn.Module):
    def __init__(
        self, vocab_size: int, context_length: int, d_model: int, n_layer: int, n_head: int, d_ff: int
    ) -> None:
        super().__init__()
        self.token_embeddings = nn.Embedding(vocab_size, d_model)
        self.rope = Rotary(context_length, d_model // n_head)
        self.layers = nn.ModuleList(Layer(d_model, n_head, d_ff) for _ in range(n_layer))
        self.ln_final = RMSNorm(d_model)
        self.lm_head = nn.Linear(d_model, vocab_size, bias=False)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.token_embeddings(ids)
        for layer in self.layers:
            x = layer(x, self.rope)
        return self.lm_head(self.ln_final(x))
