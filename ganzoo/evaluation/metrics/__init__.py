"""One file a family of metrics: pure functions of features, logits or pixels, in float64."""
