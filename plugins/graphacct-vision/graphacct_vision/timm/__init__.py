"""Models of timm's by their names. A family is a file, and a table of names that says what each is."""
