"""HTTP: app, routes, schemas and the error table."""
