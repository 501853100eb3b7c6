"""Rows of Parquet files and Excel workbooks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from nlp_service.adapters.files.opening import check_archive
from nlp_service.adapters.files.survey import Surveyed
from nlp_service.core.rows import Row
from nlp_service.errors import InputError

BATCH = 4096


def read_parquet(file: Surveyed, *, skip: int = 0) -> Iterator[Row]:
    """Yield the rows of a Parquet file; row groups before ``skip`` are not read."""
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    with closing(pq.ParquetFile(file.path)) as table:
        first, groups = 0, range(table.num_row_groups)
        for group in groups:
            size = table.metadata.row_group(group).num_rows
            if first + size > skip:
                break
            first += size
            groups = range(group + 1, table.num_row_groups)
        number = first
        try:
            for batch in table.iter_batches(BATCH, row_groups=list(groups)):
                for fields in batch.to_pylist():
                    number += 1
                    if number > skip:
                        yield Row(origin=file.origin, number=number, fields=fields)
        except (ArrowException, OSError) as exc:
            raise InputError(f"input {file.path} is damaged after row {number}: {exc}") from exc


def read_excel(file: Surveyed, *, skip: int = 0) -> Iterator[Row]:
    """Yield the rows of a workbook's first sheet that has any; the first row that is not empty is the header."""
    import openpyxl

    check_archive(file.path)
    try:
        book = openpyxl.load_workbook(file.path, read_only=True, data_only=True)
    except Exception as exc:  # the library raises whatever its parsers do
        raise InputError(f"input {file.path} cannot be read as a workbook: {exc}") from exc
    with closing(book):
        for sheet in book.worksheets:
            header: list[str] | None = None
            for number, cells in enumerate(sheet.iter_rows(values_only=True), 1):
                if all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in cells):
                    continue
                if header is None:
                    header = [
                        str(cell).strip() if cell is not None else f"column{n}" for n, cell in enumerate(cells, 1)
                    ]
                    continue
                if skip:
                    skip -= 1
                else:
                    fields = dict(zip(header, cells, strict=False))
                    yield Row(origin=file.origin, number=number, fields=fields)
            if header is not None:
                return
