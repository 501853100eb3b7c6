"""Delivery of theme events to the teams that can fix them: pure decisions, no clock, no network."""
