"""What every stage trains with: saved state, averaged weights, schedules, several processes."""
