"""Says how far apart sound and picture of a talking face are, and how sure that is, by a small two-stream network."""
