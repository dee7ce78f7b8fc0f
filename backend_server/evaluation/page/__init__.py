"""The page of a report: its sections and tables, its charts and its sheets of pictures."""
