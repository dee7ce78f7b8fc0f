"""t-GAN: turns landmarks and a few pictures of a person into pictures of that person moving (Section 3.4).

Imports torch, `backend_server.config`, `layers`, `checkpoints`, `progress` and `shared`; no other stage.
"""
