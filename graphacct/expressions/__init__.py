"""What users type to ask of figures: conditions and sums of quantities."""
