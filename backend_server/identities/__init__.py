"""The faces that were learnt: what they are called, where they are kept, on disk and on the device.

Stands between the texture stage, which learns faces, and whoever asks for one: the service and the commands.
"""
