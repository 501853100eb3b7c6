"""Prepare, train, calibrate, export, evaluate, judge and promote models."""
