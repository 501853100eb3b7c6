"""The JSON of messages and answers, as pydantic models: one for the API, the command line and its documentation."""
