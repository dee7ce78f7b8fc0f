"""The l-GAN: speech features to landmark displacements on the canonical face (Sections 3.1 and 4.2).

Imported by the cascade and the training commands; networks and losses import no other stage.
"""
