"""How reference pictures are moved: where each pixel comes from, from which picture, and how several become one."""
