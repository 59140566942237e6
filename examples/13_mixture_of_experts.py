"""A mixture of experts written by hand, with a loop over the experts. It needs graphacct-torch."""

import torch
from torch import nn

import graphacct

EXPERTS, CHOSEN, WIDTH, TOKENS = 8, 2, 64, 32


class Expert(nn.Module):
    def __init__(self):
        super().__init__()
        self.gate = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.up = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.down = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x, scores):
        weights, tokens = scores.topk(TOKENS * CHOSEN // EXPERTS)
        rows = x[tokens]
        done = self.down(nn.functional.silu(self.gate(rows)) * self.up(rows))
        return torch.zeros_like(x).index_add(0, tokens, done * weights[:, None])


class Mixture(nn.Module):
    """Each expert takes the tokens that score it highest, so that all have equally many (Zhou et al., 2022)."""

    def __init__(self):
        super().__init__()
        self.router = nn.Linear(WIDTH, EXPERTS, bias=False)
        self.experts = nn.ModuleList(Expert() for _ in range(EXPERTS))

    def forward(self, x):
        scores = self.router(x).softmax(-1)
        out = torch.zeros_like(x)
        for expert, score in zip(self.experts, scores.unbind(1), strict=True):
            out = out + expert(x, score)
        return out


report = graphacct.account(Mixture(), inputs=((torch.zeros(TOKENS, WIDTH),), {}))
print(report)

expert = 3 * WIDTH * 4 * WIDTH
print(f"experts: {report['experts.*'].share:.1%} of the FLOPs")
assert report["experts.*"].values["params"] == EXPERTS * expert
assert report["experts.*"].values["matmul_flops"] == 2 * TOKENS * CHOSEN * expert  # as if each token had chosen two
