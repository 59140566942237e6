"""Shared by families that read sound."""
