"""Trains t-GAN, on many people and on one: losses, examples, steps, and runs that can be resumed."""
