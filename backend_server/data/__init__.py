"""Training data: folders of videos with sound become a corpus; synthetic speech.

Used by the training of each stage and the command line; imports `face`, `retarget`, `config` and `shared`.
"""
