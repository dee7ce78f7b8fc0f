"""Says how the weights of ARKit's 52 shapes move the rigs that characters already have.

Add-on and backend read the same mappings: `mapping` (what one is, and its file), `presets` (those that ship), and
`detection` (which kind of rig a character has, from the names of its shape keys and bones).
"""
