"""The seams of the service: what flows need from the world."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from nlp_service.contract.calibration import Calibration
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.delivery.outcome import Outcome
from nlp_service.core.delivery.records import Backlog, Claim, Delivery, DeliveryPage, Parcel, Ticket
from nlp_service.core.delivery.subscriptions import Subscription, Target
from nlp_service.core.delivery.verdict import Verdict
from nlp_service.core.history import CustomerHistory
from nlp_service.core.jobs import Job, JobProgress
from nlp_service.core.labelling import FloatArray, Labelling, ModelIdentity, Scores, ThemeMatch
from nlp_service.core.messages import Message
from nlp_service.core.relabelling import Chunk, LabelledChunk, Position, Tally
from nlp_service.core.rows import Row
from nlp_service.core.stored import GroupCount, HourCount, LabelledPage, StoredMessage, Window
from nlp_service.core.themes.lifecycle import Moved
from nlp_service.core.themes.mining import Mined
from nlp_service.core.themes.standing import Before
from nlp_service.core.themes.values import Anchor, Change, Measure, Theme

Segments = tuple[str, str]  # message, context; as contract.inputs.compose returns them


class DescribedModel(Protocol):
    """What a bundle says of itself."""

    @property
    def identity(self) -> ModelIdentity: ...
    @property
    def taxonomy(self) -> Taxonomy: ...
    @property
    def calibration(self) -> Calibration: ...
    @property
    def languages(self) -> tuple[str, ...]: ...


class Model(DescribedModel, Protocol):
    """A loaded bundle."""

    def score(self, segments: Sequence[Segments]) -> Scores:
        """Score n messages in order; long text is read in windows. Blocks; safe from several threads."""
        ...


class Scorer(Protocol):
    """Asynchronous scoring with batching across callers."""

    async def score(self, segments: Sequence[Segments]) -> Scored: ...


class Scored(Protocol):
    """Scores together with the model that gave them and where the time went."""

    @property
    def scores(self) -> Scores: ...
    @property
    def model(self) -> Model: ...
    @property
    def stages(self) -> Mapping[str, float]:
        """Seconds by stage: queue, tokenise, infer."""
        ...


class Sealer(Protocol):
    """Encryption at rest; ``belongs_to`` names the row, so that a value moved elsewhere does not open."""

    def seal(self, plain: bytes, *, belongs_to: str) -> bytes: ...
    def open(self, sealed: bytes, *, belongs_to: str) -> bytes: ...
    def is_current(self, sealed: bytes) -> bool:
        """Tell whether a value is sealed under the newest key."""
        ...


class MessageStore(Protocol):
    """Messages and their labellings; append-only."""

    def save(self, labelled: Sequence[tuple[Message, Labelling]]) -> Future[None]:
        """Store each message once per id and each labelling once per message and model version.

        Returns at once; the future resolves after the commit, or raises StorageUnavailable.
        """
        ...

    def histories(self, customers: Sequence[str], *, since: datetime) -> Mapping[str, CustomerHistory]:
        """Current labellings of these customers' messages since a time; a customer without any is absent."""
        ...

    def get(self, message_id: str) -> StoredMessage:
        """Return a message with all its labellings, newest first; raises NotFound."""
        ...

    def customer(self, customer_id: str, *, limit: int = 200) -> tuple[StoredMessage, ...]:
        """Return a customer's newest messages, newest first; raises NotFound for one never seen."""
        ...

    def raw_text(self, message_id: str) -> str | None:
        """Return the text as it was sent, None where it was not kept; raises NotFound."""
        ...

    def models(self, window: Window) -> Mapping[ModelIdentity, int]:
        """Count the messages of a window that each model version has labelled."""
        ...

    def labelled(self, window: Window, *, model: ModelIdentity, page: int = 2000) -> Iterator[LabelledPage]:
        """Stream what one model version said of a window's messages, ascending time, in pages."""
        ...

    def newest(self, window: Window, *, model: ModelIdentity, limit: int = 2000) -> LabelledPage | None:
        """Return what one model version said of a window's newest messages, newest first; None of none."""
        ...

    def stored(self, window: Window, *, page: int = 2000) -> Iterator[StoredMessage]:
        """Stream a window's messages with their labellings, ascending time."""
        ...


class Reports(Protocol):
    """Counts of current labellings; windows begin and end with a full UTC hour."""

    def hours(self, window: Window, *, departments: Collection[str] | None = None) -> tuple[HourCount, ...]:
        """Count by hour, ascending, of some departments or all; an hour without any message is absent."""
        ...

    def channels(self, window: Window) -> tuple[GroupCount, ...]:
        """Count by department and channel."""
        ...

    def intents(self, window: Window) -> tuple[GroupCount, ...]:
        """Count by department and intent."""
        ...


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One message of a theme."""

    message_id: str
    text: str  # masked
    occurred_at: datetime
    channel: str | None
    product: str | None
    region: str | None
    similarity: float


@dataclass(frozen=True, kw_only=True)
class LiveCount:
    messages: int
    customers: int


class ThemeStore(Protocol):
    """Themes, their members and events; a run and a decision are one transaction each."""

    def themes(self, *, states: Collection[str] | None = None) -> tuple[Theme, ...]:
        """Return every theme, also merged and dismissed ones, or those in some states, greatest share first."""
        ...

    def get(self, theme_id: str) -> Theme:
        """Return a theme; raises NotFound."""
        ...

    def before(self, model: ModelIdentity, window: Window) -> Before:
        """Return what is known for a run of this model over a window."""
        ...

    def commit(self, mined: Mined, *, read_at: datetime) -> tuple[ThemeEvent, ...]:
        """Store a run whole; what people decided since ``read_at`` wins. Returns the events written."""
        ...

    def decide(
        self, theme_id: str, decision: Callable[[Theme], Moved], *, into: str | None = None
    ) -> tuple[Theme, tuple[ThemeEvent, ...]]:
        """Apply a person's decision; with ``into`` its members go over to that theme. Raises NotFound, Conflict."""
        ...

    def add(self, theme: Theme, anchors: Sequence[Anchor], changes: Sequence[Change]) -> tuple[ThemeEvent, ...]:
        """Store a theme that a person made."""
        ...

    def anchors(self, theme_id: str) -> tuple[Anchor, ...]:
        """Return where a theme lies in each model's space."""
        ...

    def events(self, *, theme_id: str | None = None, limit: int = 200) -> tuple[ThemeEvent, ...]:
        """Return the newest events, newest first."""
        ...

    def timeline(self, theme_id: str, *, limit: int = 104) -> tuple[Measure, ...]:
        """Return a theme's measures by window, oldest first."""
        ...

    def heard(self, theme_id: str, *, limit: int = 50, offset: int = 0) -> tuple[Heard, ...]:
        """Return a theme's messages, newest first, masked."""
        ...

    def live(self, window: Window) -> Mapping[str, LiveCount]:
        """Count each theme's messages and customers of a window as they are assigned at this moment."""
        ...

    def acquire(self, name: str, *, holder: str, until: datetime) -> bool:
        """Take or prolong a lease; False while somebody else holds it."""
        ...

    def release(self, name: str, *, holder: str) -> None:
        """Give a lease back."""
        ...


class ThemeMatcher(Protocol):
    """Finds the themes of a message within the request."""

    def match(self, labelling: Labelling) -> tuple[ThemeMatch, ...]:
        """Return the themes above their own thresholds, nearest first; reads memory alone."""


class DeliveryQueue(Protocol):
    """Open deliveries, taken under a lease by any number of workers."""

    def claim(self, *, token: str, now: datetime, lease: timedelta, limit: int) -> tuple[Claim, ...]:
        """Take up to ``limit`` deliveries that are due, each the first open one of its theme and endpoint."""
        ...

    def claim_sample(
        self, subscription_id: str, event: ThemeEvent, *, token: str, now: datetime, lease: timedelta
    ) -> Claim:
        """Take a sample for a subscription in any state; raises NotFound."""
        ...

    def has_due(self, *, now: datetime) -> bool:
        """Tell whether claiming would be worth a write."""
        ...

    def record(self, claim: Claim, outcome: Outcome, verdict: Verdict, *, now: datetime) -> bool:
        """Store how an attempt ended and what follows; returns False where the lease had gone to another worker."""
        ...

    def give_back(self, claim: Claim, *, now: datetime) -> None:
        """Undo a claim that was not used."""
        ...


class DeliveryLog(Protocol):
    """Deliveries and attempts for people."""

    def page(
        self,
        *,
        state: str | None = None,
        subscription_id: str | None = None,
        among: Collection[str] | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> DeliveryPage:
        """Return deliveries, newest first; ``among``: of these subscriptions alone."""
        ...

    def get(self, delivery_id: str) -> Delivery:
        """Return a delivery with its events and attempts; raises NotFound."""
        ...

    def resend(self, delivery_id: str, *, by: str, at: datetime) -> None:
        """Open a dead delivery again, under the same id; raises NotFound, or Conflict for one that is not dead."""
        ...

    def resend_dead(self, *, subscription_id: str | None, by: str, at: datetime) -> int:
        """Open every dead delivery again; returns how many."""
        ...

    def backlog(self, *, now: datetime) -> tuple[Backlog, ...]:
        """Count what waits and what is dead, by channel."""
        ...


class SubscriptionStore(Protocol):
    """Who is told of what; a key is an id or a name."""

    def add(self, subscription: Subscription, target: Target, *, by: str) -> None:
        """Store a new subscription; raises Conflict for a name that is taken."""
        ...

    def all(self) -> tuple[Subscription, ...]:
        """Return every subscription, by name."""
        ...

    def get(self, key: str) -> Subscription:
        """Return one; raises NotFound."""
        ...

    def target(self, key: str) -> Target:
        """Return where it leads to, secrets in the clear; raises NotFound."""
        ...

    def replace(self, subscription: Subscription, target: Target | None = None, *, by: str) -> None:
        """Store a changed subscription; one that becomes active starts with a clean record."""
        ...

    def remove(self, key: str, *, by: str) -> None:
        """Remove one with its deliveries; raises NotFound."""
        ...


class TicketStore(Protocol):
    """Which issue of a tracker stands for which theme."""

    def find(self, subscription_id: str, theme_id: str) -> Ticket | None: ...
    def keep(self, ticket: Ticket, *, at: datetime) -> None:
        """Store or change a ticket."""
        ...

    def open_tickets(self) -> tuple[Ticket, ...]: ...


class Sender(Protocol):
    """Makes one attempt over one kind of channel; never raises for what the other side does."""

    async def send(self, parcel: Parcel) -> Outcome: ...


class ThemeDecisions(Protocol):
    """What people decide about a theme from a channel; both are idempotent."""

    def acknowledge(self, theme_id: str, *, by: str, at: datetime) -> object:
        """Record who took a theme on; raises NotFound, Conflict where its state does not allow it."""
        ...

    def fix(self, theme_id: str, *, by: str, at: datetime) -> object:
        """Record that a theme's cause was removed; raises NotFound, Conflict."""
        ...


@dataclass(frozen=True, kw_only=True)
class Example:
    """A labelled message of our own corpus that a bundle carries to explain by."""

    text: str
    intent: str
    lang: str


class ExampleIndex(Protocol):
    """The labelled examples of a bundle."""

    def nearest(self, embedding: FloatArray, count: int) -> tuple[tuple[Example, float], ...]:
        """Return the examples of highest cosine to a unit vector (d,), highest first."""


class Rows(Protocol):
    """The input of a bulk job, readable from any position."""

    @property
    def expected(self) -> int | None:
        """Rows in all, an upper bound; None where it cannot be known."""
        ...

    def rows(self, start: Position) -> Iterator[Row]:
        """Yield the rows after a position, in the same order every time."""
        ...


class ChunkLabeller(Protocol):
    """Where a bulk job's labelling happens: this process, or a cluster."""

    def label(self, chunks: Iterable[Chunk]) -> Iterator[LabelledChunk]:
        """Yield the chunks labelled, in order; they may be read, once, in another process."""
        ...


class Parts(Protocol):
    """The output of a bulk job; what ``write`` returned from survives a kill."""

    @property
    def done(self) -> tuple[Tally, Position, int]:
        """What is kept so far, where reading goes on, and the number of the next part."""
        ...

    def write(self, chunk: LabelledChunk) -> None:
        """Keep one chunk; raises JobError where it cannot be kept."""
        ...

    def finish(self) -> None:
        """Close the output; the manifest is written last."""
        ...

    def close(self) -> None:
        """Let another process go on, whether finished or not."""
        ...


class JobStore(Protocol):
    """Queued and running jobs, as their runner needs them."""

    def claim(self, owner: str, kinds: Collection[str], *, at: datetime, lease: timedelta) -> Job | None:
        """Take the oldest job that waits or whose runner is gone."""
        ...

    def beat(self, job_id: str, owner: str, progress: JobProgress, *, until: datetime) -> str | None:
        """Renew the lease; returns the job's state, None where the lease was lost."""
        ...

    def finish(
        self,
        job_id: str,
        owner: str,
        state: str,
        *,
        progress: JobProgress,
        at: datetime,
        result: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        """Close a job that is held."""
        ...

    def release(self, job_id: str, owner: str) -> None:
        """Give a job back to the queue."""
        ...


class JobContext(Protocol):
    """What a handler sees of its job."""

    @property
    def job(self) -> Job: ...
    def report(self, done: int, total: int | None = None, *, unit: str = "rows", note: str = "") -> None:
        """Say how far it is."""
        ...

    def check(self) -> None:
        """Raise where the job must stop; call it every few seconds."""
        ...


class JobHandler(Protocol):
    """Carries out one kind of job; called again from the start after a crash."""

    def __call__(self, context: JobContext) -> Mapping[str, Any]:
        """Return the result as JSON-ready data; raises NlpServiceError saying why it failed."""
        ...
