"""Decides who may connect: keys, encryption, connection files, and the clients of other machines."""
