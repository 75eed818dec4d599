"""Regressors on pixel features, then a 3-D encoder-decoder for what they leave."""
