"""Losses: pure functions of tensors, each tested against a naive loop, a closed form and a symmetry."""
