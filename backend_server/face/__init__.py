"""Faces in pictures: reading an image, finding 68 landmarks, cutting the crop, separating person from background.

Used by the cascade, the service and `data`; imports only `config` and `shared`.
"""
