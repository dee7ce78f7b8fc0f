"""The sounds of speech, and how a mouth moves through them."""
