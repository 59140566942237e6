"""Transformers over the places of an image, alone or as backbones: ViT, Swin, PVT, BEiT, DINO and others."""
