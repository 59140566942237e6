"""Devices: what a model may run on, as data with a source for each figure, and how a device is named."""
