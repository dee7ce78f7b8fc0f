"""The networks of t-GAN: both generators, their discriminators, and the presets that build and save them."""
