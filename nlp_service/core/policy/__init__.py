"""Priority and routing: rules as data, decided over labels and facts."""

from nlp_service.core.policy.decide import prioritise, route
from nlp_service.core.policy.load import default_policy, load_policy
from nlp_service.core.policy.values import Facts, Policy

__all__ = ["Facts", "Policy", "default_policy", "load_policy", "prioritise", "route"]
