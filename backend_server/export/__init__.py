"""Results as files that other programs read. Pure functions of arrays; knows no network and no service."""
