"""One model as a page that computes: a folded graph to open and close, and sizes to change."""
