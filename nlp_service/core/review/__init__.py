"""Which messages a person should look at first, and why."""
