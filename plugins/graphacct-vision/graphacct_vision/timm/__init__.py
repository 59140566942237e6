"""Models of the timm library by their names there, alone or in the transformers library's wrapper."""
