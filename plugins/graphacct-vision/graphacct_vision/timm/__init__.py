"""Models of the timm library by their names there, alone or in the transformers library's wrapper. A family is a file,
and a table of names that says what each is."""
