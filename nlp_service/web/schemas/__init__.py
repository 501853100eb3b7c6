"""What the API takes and gives, as pydantic models for validation and documentation."""
