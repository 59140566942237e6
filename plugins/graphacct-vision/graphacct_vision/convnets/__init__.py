"""Networks of convolutions, alone or as backbones: ResNet, ConvNeXt, EfficientNet, MobileNet and others."""
