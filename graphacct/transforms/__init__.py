"""Transforms of graphs: a graph in, a graph out."""
