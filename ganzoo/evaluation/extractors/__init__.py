"""What the metrics look at: features, and class logits where there is a classifier."""
