"""What would change under another policy: stored messages decided again, and the moves counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from nlp_service.contract.calibration import Calibration
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.contract.text import has_words
from nlp_service.core.history import CustomerHistory, PastMessage
from nlp_service.core.labelling import Labelling
from nlp_service.core.labels import abstain
from nlp_service.core.policy import Facts, Policy, prioritise, route
from nlp_service.core.stored import StoredMessage


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a policy decides of one message."""

    priority: str
    department: str
    needs_human: bool


@dataclass(frozen=True, kw_only=True)
class Move:
    message_id: str
    masked_text: str
    before: Outcome
    after: Outcome


@dataclass(kw_only=True)
class Forecast:
    """Counts over a window, before (as stored) and after (under the policy tried)."""

    messages: int = 0
    moved: int = 0
    priority: Counter[tuple[str, str]] = field(default_factory=Counter)  # (before, after) -> messages
    department: Counter[tuple[str, str]] = field(default_factory=Counter)
    human: Counter[tuple[bool, bool]] = field(default_factory=Counter)
    examples: list[Move] = field(default_factory=list)  # of moved messages, the first ones

    def count(self, move: Move, *, examples: int) -> None:
        self.messages += 1
        self.priority[move.before.priority, move.after.priority] += 1
        self.department[move.before.department, move.after.department] += 1
        self.human[move.before.needs_human, move.after.needs_human] += 1
        if move.before != move.after:
            self.moved += 1
            if len(self.examples) < examples:
                self.examples.append(move)

    def as_data(self) -> dict[str, object]:
        """Return JSON-ready counts: queues before and after, moves, and examples."""
        return {
            "messages": self.messages,
            "moved": self.moved,
            "needs_human": {
                "before": sum(count for (before, _), count in self.human.items() if before),
                "after": sum(count for (_, after), count in self.human.items() if after),
            },
            "priority": _queues(self.priority),
            "department": _queues(self.department),
            "examples": [
                {
                    "message_id": move.message_id,
                    "masked_text": move.masked_text,
                    "before": vars(move.before),
                    "after": vars(move.after),
                }
                for move in self.examples
            ],
        }


def replay(
    stored: Iterable[StoredMessage], policy: Policy, taxonomy: Taxonomy, calibration: Calibration, *, examples: int = 20
) -> Forecast:
    """Decide messages again, in ascending time, and count what moves.

    A customer's history is rebuilt from the messages that came before in the same window. Only labels, facts and
    thresholds are used: the model is not asked again.
    """
    forecast = Forecast()
    for move in _moves(stored, policy, taxonomy, calibration):
        forecast.count(move, examples=examples)
    return forecast


def _moves(
    stored: Iterable[StoredMessage], policy: Policy, taxonomy: Taxonomy, calibration: Calibration
) -> Iterator[Move]:
    histories: dict[str, list[PastMessage]] = {}
    threshold = calibration.for_target(policy.target_accuracy).threshold
    for item in stored:
        if not item.labellings:
            continue
        current = item.labellings[0]
        customer = item.message.customer_id
        past = histories.setdefault(customer, []) if customer else []
        facts = Facts(
            labels=current.labels,
            message=item.message,
            language=current.language,
            history=CustomerHistory(customer_id=customer, messages=tuple(past)),
            at=item.occurred_at,
        )
        priority = prioritise(facts, policy, taxonomy)
        reasons = abstain(
            current.labels,
            current.language,
            words=has_words(item.message.text),
            threshold=threshold,
            scope_threshold=calibration.scope_threshold,
        )
        after = Outcome(
            priority=priority.level,
            department=route(facts, priority, policy, taxonomy).department,
            needs_human=bool(reasons),
        )
        past.append(item.as_past(priority.level))
        yield Move(message_id=item.message.id, masked_text=current.masked_text, before=_outcome(current), after=after)


def _outcome(labelling: Labelling) -> Outcome:
    return Outcome(
        priority=labelling.priority.level,
        department=labelling.route.department,
        needs_human=bool(labelling.needs_human),
    )


def _queues(moves: Mapping[tuple[str, str], int]) -> Sequence[dict[str, object]]:
    """Return each queue's size before and after, and where its messages go."""
    names = sorted({name for pair in moves for name in pair})
    return [
        {
            "name": name,
            "before": sum(count for (before, _), count in moves.items() if before == name),
            "after": sum(count for (_, after), count in moves.items() if after == name),
            "moves_to": {after: count for (before, after), count in sorted(moves.items()) if before == name != after},
        }
        for name in names
    ]
