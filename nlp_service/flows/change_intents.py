"""What people change about intents: add one with a few examples, remove it, rename and merge."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.label_moves import LabelMove, check, mapping
from nlp_service.core.provisional import LEAST_EXAMPLES, MOST_EXAMPLES, ProvisionalIntent
from nlp_service.errors import Conflict, InputError
from nlp_service.ports.learning import IntentStore

_ID = re.compile(r"[a-z][a-z0-9_]{1,59}")


@dataclass(frozen=True, kw_only=True)
class ChangeIntents:
    store: IntentStore
    taxonomy: Callable[[], Taxonomy]  # of the model that answers
    mask: Callable[[str], str]
    now: Callable[[], datetime]
    changed: Callable[[], None] = lambda: None  # lets this process see it at once

    def add(
        self,
        intent_id: str,
        *,
        names: Mapping[str, str],
        group: str,
        department: str,
        examples: Sequence[str],
        by: str,
    ) -> ProvisionalIntent:
        """Add an intent that answers from now on, marked as provisional.

        Raises:
            InputError: a malformed id, an unknown group or department, or too few or too many examples.
            Conflict: the id is taken.
        """
        taxonomy = self.taxonomy()
        if not _ID.fullmatch(intent_id):
            raise InputError(f"intent id {intent_id!r} must be small letters, digits and _, such as gift_wrap")
        if intent_id in taxonomy.intents:
            raise Conflict(f"intent {intent_id!r} is trained already: correct messages instead")
        if group not in taxonomy.groups:
            raise InputError(f"group {group!r} is not known; known are {', '.join(taxonomy.groups)}")
        if department not in taxonomy.departments:
            raise InputError(f"department {department!r} is not known; known are {', '.join(taxonomy.departments)}")
        said = tuple(dict.fromkeys(self.mask(text.strip()) for text in examples if text.strip()))
        if not LEAST_EXAMPLES <= len(said) <= MOST_EXAMPLES:
            raise InputError(
                f"{len(said)} different examples of {intent_id!r}: give {LEAST_EXAMPLES} to {MOST_EXAMPLES}"
            )
        intent = ProvisionalIntent(
            id=intent_id,
            names=names or {"zh": intent_id},
            group=group,
            department=department,
            examples=said,
            created_at=self.now(),
            created_by=by,
        )
        self.store.add(intent)
        self.changed()
        return intent

    def remove(self, intent_id: str, *, by: str) -> None:
        """Remove a provisional intent; raises NotFound."""
        self.store.remove(intent_id, by=by, at=self.now())
        self.changed()

    def move(self, kind: str, old: str, new: str, *, why: str, by: str) -> int:
        """Rename or merge an intent; returns how many stored labellings it concerns. Raises NotFound, Conflict."""
        if not _ID.fullmatch(new):
            raise InputError(f"intent id {new!r} must be small letters, digits and _, such as gift_wrap")
        move = LabelMove(kind=kind, old=old, new=new, why=why, moved_at=self.now(), moved_by=by)
        moved = mapping(self.store.moves())
        trained = {moved.get(name, name) for name in self.taxonomy().intents}
        check(move, trained)
        concerned = self.store.move(move)
        self.changed()
        return concerned
