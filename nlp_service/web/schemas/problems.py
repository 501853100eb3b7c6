"""RFC 9457 problem details, for the documentation."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Fault(BaseModel):
    field: str = Field(description="Path of the field at fault.", examples=["messages.3.text"])
    message: str = Field(description="What is wrong with it.")


class Problem(BaseModel):
    type: str = Field("about:blank", description="Kind of problem, as a URI.")
    title: str = Field(description="Short summary.", examples=["Invalid request"])
    status: int = Field(description="HTTP status.", examples=[422])
    detail: str = Field(description="What happened and what to do.")
    errors: list[Fault] | None = Field(None, description="Every field at fault.")
