"""Themes: discover, name, match, measure, life cycle."""
