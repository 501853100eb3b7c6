"""The gate before a model serves: a candidate held against the accepted model, and the verdict with its reasons."""
