"""Characters that are rigged already: what moves them, by names or by how they look."""
