"""Makes training data: a corpus from folders of videos with sound, and synthetic speech.

Used by the training of each stage and the command line; imports `face`, `retarget`, `config` and `shared`.
"""
