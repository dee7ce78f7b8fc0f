"""Tools with which every stage trains: saved state, averaged weights, schedules, several processes."""
