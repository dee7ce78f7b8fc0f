"""Which sounds is speech made of, and how does a mouth move through them?"""
