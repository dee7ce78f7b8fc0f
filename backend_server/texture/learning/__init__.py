"""How t-GAN is trained, on many people and on one: losses, examples, steps, and the run that survives being stopped."""
