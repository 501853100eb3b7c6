"""ports.Parts as a folder: numbered parts, rejects, conversations, and the manifest last."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import orjson

from nlp_service.adapters.files.closing import count_distinct, index_row, write_conversations
from nlp_service.adapters.files.durable import file_sha256, hold_alone, replacing, sync_folder, told_as_job_error
from nlp_service.adapters.files.ledger import Ledger, PartEntry, PartFile
from nlp_service.adapters.files.schema import ENDINGS, INDEX, MESSAGES, write_rows
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.flat import flat
from nlp_service.core.partitions import folder_of
from nlp_service.core.relabelling import BEGINNING, SCHEMA_VERSION, LabelledChunk, Position, Tally
from nlp_service.errors import Conflict, JobError

MANIFEST = "manifest.json"
REJECTS = "rejects.jsonl"
MOST_FOLDERS = 1000  # that one part may fall into
_WORK = ".job"  # the ledger and what the closing passes need; gone when the manifest is there


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Into which folders the rows go."""

    keys: tuple[str, ...] = ()  # of core.partitions.KEYS; none: all into one
    offset: timedelta = timedelta(hours=8)  # at which days and months begin

    def folder_of(self, row: Mapping[str, Any]) -> str:
        return folder_of(row, self.keys, offset=self.offset)


class OutputFolder:
    """Parts and their ledger; open with ``open``."""

    def __init__(
        self,
        folder: Path,
        ledger: Ledger,
        lock: IO[bytes],
        *,
        about: Mapping[str, Any],
        taxonomy: Taxonomy,
        form: str = "parquet",
        layout: Layout | None = None,
    ) -> None:
        self.folder = folder
        self._work = folder / _WORK
        self._ledger = ledger
        self._lock = lock  # held while this object lives
        self._about = about
        self._taxonomy = taxonomy
        self._form = form
        self._layout = layout or Layout()

    @classmethod
    def open(
        cls,
        folder: Path,
        about: Mapping[str, Any],
        *,
        taxonomy: Taxonomy,
        form: str = "parquet",
        layout: Layout | None = None,
        resume: bool = False,
    ) -> OutputFolder:
        """Begin a job in an empty folder, or go on with the one in it.

        Args:
            folder: made where it is missing.
            about: what the parts depend on (inputs, model, policy, options); may not change between runs.
            taxonomy: of the model.
            form: parquet or jsonl.
            layout: into which folders the rows go; all into one by default.
            resume: go on with what is there; a folder without a job begins one.

        Raises:
            Conflict: something is in the folder and ``resume`` was not asked for, or the job is finished.
            JobError: what the job is about has changed, or a finished part is missing or altered.
        """
        if (folder / MANIFEST).exists():
            raise Conflict(f"{folder} holds a finished job ({MANIFEST} is there): choose another folder")
        work = folder / _WORK
        ledger_path = work / "ledger.jsonl"
        if not resume and folder.exists() and any(item.name != _WORK for item in folder.iterdir()):
            remedy = "go on with --resume" if ledger_path.exists() else "choose an empty one"
            raise Conflict(f"output folder {folder} is not empty: {remedy}")
        with told_as_job_error(folder, "nothing is"):
            work.mkdir(parents=True, exist_ok=True)
            lock = hold_alone(work / "lock")
            try:
                ledger = Ledger.resume(ledger_path, about) if resume else Ledger.start(ledger_path, about)
                _check_parts(folder, ledger)
                _remove_unfinished(folder, ledger)
            except BaseException:
                lock.close()
                raise
        return cls(folder, ledger, lock, about=about, taxonomy=taxonomy, form=form, layout=layout)

    @property
    def done(self) -> tuple[Tally, Position, int]:
        """What is kept so far, where reading goes on, and the number of the next part."""
        entries = self._ledger.entries
        return self._ledger.tally, entries[-1].end if entries else BEGINNING, len(entries)

    def write(self, chunk: LabelledChunk) -> None:
        """Keep a chunk: its files first, then its line in the ledger.

        Raises:
            JobError: the disk does not take it, or the partition would make too many folders.
        """
        with told_as_job_error(self.folder, f"{len(self._ledger.entries)} parts ({self._ledger.tally.rows} rows) are"):
            write_rows(self._rejects(chunk.number), [item.as_data() for item in chunk.rejected], INDEX)
            files: tuple[PartFile, ...] = ()
            if chunk.labelled:
                files = tuple(self._write_parts(chunk))
                write_rows(self._index(chunk.number), [index_row(item) for item in chunk.labelled], INDEX)
            self._ledger.add(PartEntry(number=chunk.number, files=files, tally=chunk.tally, end=chunk.end))

    def _write_parts(self, chunk: LabelledChunk) -> Iterator[PartFile]:
        """Write the rows of a chunk, a file for each folder that they fall into."""
        by_folder: dict[str, list[dict[str, Any]]] = {}
        for item in chunk.labelled:
            row = flat(item, self._taxonomy)
            by_folder.setdefault(self._layout.folder_of(row), []).append(row)
        if len(by_folder) > MOST_FOLDERS:
            raise JobError(
                f"partitioning by {', '.join(self._layout.keys)} spreads {len(chunk.labelled)} rows over "
                f"{len(by_folder)} folders, more than {MOST_FOLDERS}: leave one of them out, in another output folder"
            )
        for below, rows in sorted(by_folder.items()):
            path = self.folder / below / f"part-{chunk.number:05}{ENDINGS[self._form]}"
            if not path.parent.exists():
                path.parent.mkdir(parents=True)
                for folder in path.parents[1 : 1 + len(self._layout.keys)]:
                    sync_folder(folder)
            write_rows(path, rows, MESSAGES)
            name = path.relative_to(self.folder).as_posix()
            yield PartFile(name=name, rows=len(rows), size=path.stat().st_size, sha256=file_sha256(path))

    def finish(self) -> None:
        """Write rejects, conversations and, last, the manifest; then the working files go."""
        entries = self._ledger.entries
        with told_as_job_error(self.folder, f"all {len(entries)} parts are"):
            with replacing(self.folder / REJECTS) as stream:
                for entry in entries:
                    stream.write(self._rejects(entry.number).read_bytes())
            indices = [self._index(entry.number) for entry in entries if entry.files]
            labelled = self._ledger.tally.labelled
            conversations = None
            if self._about.get("conversations"):
                path = self.folder / f"conversations{ENDINGS[self._form]}"
                conversations = write_conversations(path, indices, self._taxonomy.priorities, rows=labelled)
            manifest = self._manifest(indices, conversations)
            with replacing(self.folder / MANIFEST) as stream:
                stream.write(orjson.dumps(manifest, option=orjson.OPT_INDENT_2) + b"\n")
            shutil.rmtree(self._work)
        self.close()

    def close(self) -> None:
        """Let another process go on with the job."""
        self._lock.close()

    def _manifest(self, indices: Sequence[Path], conversations: int | None) -> dict[str, Any]:
        tally = self._ledger.tally
        distinct = {name: count_distinct(indices, name, rows=tally.labelled) for name in ("text_key", "id_key")}
        files = [file for entry in self._ledger.entries for file in entry.files]
        return {
            "schema_version": SCHEMA_VERSION,
            **self._about,
            "rows": {
                "read": tally.read,
                "labelled": tally.labelled,
                "rejected": tally.rejected,
                "agent_turns": tally.agent_turns,
                "input_rows": tally.rows,
                "duplicate_texts": tally.labelled - distinct["text_key"],
                "duplicate_ids": tally.labelled - distinct["id_key"],
            },
            "conversations": conversations,
            "output": [
                {"name": file.name, "rows": file.rows, "bytes": file.size, "sha256": file.sha256} for file in files
            ],
            "rejects": {"name": REJECTS, "rows": tally.rejected, "sha256": file_sha256(self.folder / REJECTS)},
        }

    def _rejects(self, number: int) -> Path:
        return self._work / f"rejects-{number:05}.jsonl"

    def _index(self, number: int) -> Path:
        return self._work / f"index-{number:05}.parquet"


def _check_parts(folder: Path, ledger: Ledger) -> None:
    """Refuse parts that are not as they were written."""
    for entry in ledger.entries:
        for file in entry.files:
            path = folder / file.name
            if not path.is_file() or path.stat().st_size != file.size:
                raise JobError(f"{path} is missing or was changed since it was written: begin anew in another folder")


def _remove_unfinished(folder: Path, ledger: Ledger) -> None:
    """Remove what a killed run wrote of a part that the ledger does not know.

    The part is made again, but where a label falls on the other side of a rounding, in another folder: both would stay.
    """
    known = {file.name for entry in ledger.entries for file in entry.files}
    for path in [*folder.rglob("part-*"), *folder.rglob(".part-*")]:
        if path.is_file() and path.relative_to(folder).as_posix() not in known:
            path.unlink()
