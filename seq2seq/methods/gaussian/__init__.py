"""Gaussian processes in time: what the methods `gp` and `mogpr` share. One band is the joint model with one output."""
