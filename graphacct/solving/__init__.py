"""From a condition to the size that meets it: which size is meant, what figures are asked for, and the search."""
