"""One file per area; handlers parse, call and render."""
