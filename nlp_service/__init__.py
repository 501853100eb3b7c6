"""Understands what customers say: labels, themes and their delivery."""

__version__ = "0.1.0"
