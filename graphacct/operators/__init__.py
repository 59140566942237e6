"""What an operator is: its signature, its formula, its cost, and what its backward pass saves."""
