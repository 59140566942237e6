"""Aten operators in graphacct's words: `table.py` has a line for each, the other files the rules that lines name."""
