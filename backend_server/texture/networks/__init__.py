"""The networks of t-GAN: both generators, their discriminators, and how a preset is built and kept on disk."""
