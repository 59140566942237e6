"""Symbols for sizes: the same formulas give the cost as an expression."""

import sympy

import graphacct

s, d_head, h, L, V, f = sympy.symbols("s d_head h L V f", positive=True, integer=True)
d = h * d_head  # heads and their width are free, so that d divides by h
sizes = {"d_model": d, "n_head": h, "n_layer": L, "vocab_size": V, "d_ff": f}
report = graphacct.account("transformer-lm", seq_len=s, set=sizes, convention="matmul")

flops = sympy.expand(report.total["flops"])
print("FLOPs      =", flops)
print("parameters =", sympy.factor(report.total["params"]))

# SwiGLU 6 s d f, projections 8 s d², attention 4 s² d in each layer, and the head 2 s d V.
assert sympy.expand(flops - (L * (6 * s * d * f + 8 * s * d**2 + 4 * s**2 * d) + 2 * s * d * V)) == 0

# From which length do the two products of attention cost more than all of the layer's weights?
crossing = sympy.solve(sympy.Eq(4 * s**2 * d, 6 * s * d * f + 8 * s * d**2), s)[0]
print("attention's products overtake at s =", sympy.simplify(crossing))
xl = {h: 25, d_head: 64, L: 48, V: 50257, f: 6400}
assert crossing.subs(xl) == 12800
assert flops.subs({**xl, s: 1024}) == 4_513_336_524_800
