"""Finds, learns and keeps faces, and draws the page that shows one."""
