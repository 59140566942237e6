"""A model with adapters of the peft library: what is trained, and what the adapters cost. It needs graphacct-torch."""

import sys

import torch
from torch import nn

import graphacct

try:
    import peft
except ImportError:
    print("this example needs peft: pip install peft")
    sys.exit()

RANK, WIDTH, LAYERS, TOKENS = 8, 64, 4, 32


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, 4 * WIDTH)
        self.down = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        return x + self.down(torch.relu(self.up(self.norm(x))))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*(Layer() for _ in range(LAYERS)))

    def forward(self, x):
        return self.layers(x)


inputs = ((torch.zeros(1, TOKENS, WIDTH),), {})
plain = graphacct.account(Model(), inputs=inputs, phase="train", loss="sum").total
adapted = peft.get_peft_model(Model(), peft.LoraConfig(r=RANK, target_modules=["up", "down"]))
report = graphacct.account(adapted, inputs=inputs, phase="train", loss="sum")
total = report.total
print(report)

adapters = LAYERS * 2 * RANK * (WIDTH + 4 * WIDTH)
print(f"parameters: {plain['params']:,} and {total['params'] - plain['params']:,} of adapters")
print(f"gradients:  {plain['gradient_bytes']:,} B, with adapters {total['gradient_bytes']:,} B")
assert total["params"] == plain["params"] + adapters
assert total["gradient_bytes"] == 4 * adapters  # the rest is frozen
assert total["weight_grad_matmul_flops"] == 2 * TOKENS * adapters
