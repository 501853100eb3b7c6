"""The web page: server-rendered, for people; every number comes from the stores that the API reads."""

from nlp_service.web.dashboard.install import install

__all__ = ["install"]
