"""Documents that only the API speaks of."""
