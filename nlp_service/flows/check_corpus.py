"""Check a corpus: every line by itself, the lines against each other, and against evaluation sets and the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from nlp_service.contract.calibration import softmax
from nlp_service.contract.corpus import Record
from nlp_service.contract.inputs import compose
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.corpus_check.lines import check_lines, read_lines
from nlp_service.core.corpus_check.suspects import LEAST_RECORDS, find_suspects
from nlp_service.core.corpus_check.texts import find_leaks, find_repeated, letters
from nlp_service.core.corpus_check.values import KINDS, Finding, Line, Report, labels_of
from nlp_service.core.labelling import FloatArray, Scores
from nlp_service.core.messages import MAX_TEXT_LENGTH
from nlp_service.ports import Model

HEADS = ("intent", "sentiment", "emotion", "priority")


@dataclass(frozen=True, kw_only=True)
class CheckCorpus:
    """The whole check; without a model, likely wrong labels are not looked for."""

    taxonomy: Taxonomy
    languages: Sequence[str]  # ISO 639-1, served
    model: Model | None = None

    def __call__(
        self, lines: Iterable[str], *, name: str, evaluation: Mapping[str, Sequence[Record]] | None = None
    ) -> Report:
        """Return what was found.

        Args:
            lines: of a JSONL file.
            name: what the report calls it.
            evaluation: sets by name that the corpus must not leak into.
        """
        readable, findings, read = read_lines(lines)
        findings += check_lines(readable, self.taxonomy, self.languages)
        usable = [line for line in readable if len(line.record.text) <= MAX_TEXT_LENGTH]
        findings += find_repeated(usable)
        skipped = []
        if evaluation:
            findings += find_leaks(usable, evaluation)
        else:
            skipped.append("leakage: no evaluation set was named")
        if self.model is None:
            skipped.append("likely wrong labels: switched off")
        else:
            findings += self._suspects(usable, self.model)
        order = list(KINDS)
        return Report(
            name=name,
            read=read,
            lines=readable,
            findings=sorted(findings, key=lambda found: order.index(found.kind)),  # stable: keeps each kind's order
            balance=self._balance(readable),
            languages=Counter(line.record.lang for line in readable),
            skipped=skipped,
        )

    def _suspects(self, lines: Sequence[Line], model: Model) -> Iterator[Finding]:
        """Score each text once and look at every head of which there are enough labels."""
        labels = [labels_of(line.record) for line in lines]
        rows = {head: [row for row, own in enumerate(labels) if own[head] is not None] for head in HEADS}
        if max(map(len, rows.values()), default=0) < LEAST_RECORDS:
            return
        scores = model.score([compose(line.record.text, line.record.context) for line in lines])
        groups = [line.record.dialogue or letters(line.record.text) or str(line.number) for line in lines]
        for head, own in rows.items():
            given = [label for row in own if (label := labels[row][head]) is not None]
            opinion, known = self._opinion(head, scores, model)
            found = find_suspects(given, scores.embedding[own], [groups[row] for row in own], opinion[own], known)
            for suspect in found:
                yield Finding(
                    kind="likely_wrong",
                    line=lines[own[suspect.row]].number,
                    detail=f"{head} {suspect.given} has probability {suspect.confidence:.2f}, rather {suspect.better}",
                    head=head,
                    label=suspect.given,
                    better=suspect.better,
                    score=round(1 - suspect.confidence, 4),
                )

    def _opinion(self, head: str, scores: Scores, model: Model) -> tuple[FloatArray, tuple[str, ...]]:
        """Return the model's probabilities of a head and what its columns stand for."""
        taxonomy = model.taxonomy
        known = {
            "intent": tuple(taxonomy.intents),
            "sentiment": tuple(str(value) for value in taxonomy.sentiments.values()),
            "emotion": taxonomy.emotions,
            "priority": tuple(taxonomy.priorities),
        }[head]
        return softmax(getattr(scores, head), model.calibration.temperatures.get(head, 1.0)), known

    def _balance(self, lines: Sequence[Line]) -> dict[str, dict[str, int]]:
        """Count each head's labels, most frequent first; intents of the taxonomy without any record stand at 0."""
        counted = {head: Counter[str]() for head in HEADS}
        for line in lines:
            for head, label in labels_of(line.record).items():
                if label is not None:
                    counted[head][label] += 1
        if counted["intent"]:
            counted["intent"].update(dict.fromkeys(self.taxonomy.intents, 0))
        return {head: dict(found.most_common()) for head, found in counted.items() if found}
