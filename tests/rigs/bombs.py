"""Small files that unpack to much, a long one of good rows, and many days: what each takes of memory and time.

python -m tests.rigs.bombs            # The bombs, 0.5 and 2 GB of good rows, 20,000 days.
python -m tests.rigs.bombs rows 20    # 20 GB of good rows alone; that much disk for the file, and the lake.
"""

import gzip
import io
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

HEADER = b"time,price,size,side\n"
START_S = 1756857600
ROW = b"1756857600.000,100,1,buy\n"
EVENT = [("ev", "<u8"), ("exch_ts", "<i8"), ("local_ts", "<i8"), ("px", "<f8"), ("qty", "<f8")]
STEPS = ("--tick-size", "1", "--lot-size", "1")


class Taken(NamedTuple):
    """What a command took of the machine, and how it ended."""

    peak_mb: int
    seconds: float
    exit_code: int
    last_line: str


def long_line(path: Path, mb: int) -> Path:
    """Pack a text whose second line is so many megabytes long, as gzip or zip by the suffix."""
    if path.suffix == ".zip":
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("t.csv", "w", force_zip64=True) as out,
        ):
            out.write(HEADER + b"1756857600.000,")
            for _ in range(mb):
                out.write(b"1" * 10**6)
        return path
    with gzip.open(path, "wb", compresslevel=6) as packed:
        packed.write(HEADER + b"1756857600.000,")
        for _ in range(mb):
            packed.write(b"1" * 10**6)
    return path


def many_rows(path: Path, rows: int) -> Path:
    """Pack a text of equal rows."""
    with gzip.open(path, "wb", compresslevel=6) as packed:
        packed.write(HEADER)
        for _ in range(rows // 40_000):
            packed.write(ROW * 40_000)
    return path


def wide_records(path: Path, width: int, rows: int) -> Path:
    """Pack an array of events in which each takes `width` bytes more than it needs."""
    events = np.zeros(1, [*EVENT, ("beside", f"V{width}")])
    events["ev"], events["exch_ts"], events["local_ts"] = 0xE0000002, START_S * 10**9, START_S * 10**9
    events["px"] = events["qty"] = 1
    header = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(events.dtype), "fortran_order": False, "shape": (rows,)}
    np.lib.format.write_array_header_1_0(header, described)
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("data.npy", "w", force_zip64=True) as out,
    ):
        out.write(header.getvalue())
        for _ in range(rows // 100):
            out.write(events.tobytes() * 100)
    return path


def large_page(path: Path, rows: int) -> Path:
    """Write Parquet in units whose columns are one page each."""
    columns = {name: pl.repeat(1.0, rows, eager=True) + pl.int_range(rows, eager=True) for name in ("price", "size")}
    frame = pl.DataFrame(columns).with_columns(
        pl.lit(START_S * 10**9, pl.Int64).alias("ts"), kind=pl.lit("trade"), side=pl.lit(1, pl.Int8),
        **dict.fromkeys(("bid", "bid_size", "ask", "ask_size"), pl.lit(None, pl.Float64)),
    )  # fmt: skip
    frame.write_parquet(path, row_group_size=rows, data_page_size=1 << 40, compression="zstd")
    return path


def many_days(path: Path, days: int) -> Path:
    """Write a text with one print a day, from 2000 on."""
    lines = (f"{86_400 * (10_957 + day)}.5,{100 + day % 7},1,buy\n" for day in range(days))
    path.write_text(HEADER.decode() + "".join(lines))
    return path


def good_rows(path: Path, gigabytes: float) -> Path:
    """Write a text of prints, 50 a second, as long as that."""
    second = 0
    with path.open("wb") as out:
        out.write(HEADER)
        while out.tell() < gigabytes * 10**9:
            out.write(b"".join(_seconds(second, 2_000)))
            second += 2_000
    return path


def _seconds(first: int, count: int) -> Iterator[bytes]:
    for second in range(first, first + count):
        price, side = 20_000 + second * 7 % 100, ("buy", "sell")[second % 2]
        yield b"".join(
            f"{START_S + second}.{20 * part:03},{price + part % 3},{1 + part},{side}\n".encode() for part in range(50)
        )


# Between this process and the command: a child has the peak of who started it until then, and this one may be large.
LAUNCHER = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(child.pid, 0)
child.returncode = os.waitstatus_to_exitcode(status)
print(usage.ru_maxrss)
sys.exit(child.returncode)
"""
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024


def taken(*words: str | Path) -> Taken:
    """Run a command of the program; return what it took."""
    begin = time.monotonic()
    run = [
        sys.executable,
        "-c",
        "import sys; from bmv.adapters.cli.main import main; sys.exit(main())",
        *map(str, words),
    ]
    ended = subprocess.run(
        [sys.executable, "-c", LAUNCHER, *run],
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    *lines, peak = ["", *ended.stdout.splitlines()]
    return Taken(int(peak) * MAXRSS_BYTES // 10**6, time.monotonic() - begin, ended.returncode, lines[-1])


def imported(path: Path, lake: Path, *more: str) -> Taken:
    """Import a file into a lake."""
    return taken("data", "import", path, "--lake", lake, "--venue", "v", "--symbol", "S", *STEPS, *more)


BOMBS: dict[str, Callable[[Path], Path]] = {
    "3 GB in one line, gzip": lambda folder: long_line(folder / "line.csv.gz", 3_000),
    "3 GB in one line, zip": lambda folder: long_line(folder / "line.zip", 3_000),
    "200 million rows, gzip": lambda folder: many_rows(folder / "rows.csv.gz", 200_000_000),
    "records of 40 kB, npz": lambda folder: wide_records(folder / "wide.npz", 40_000, 75_000),
    "records of 200 kB, npz": lambda folder: wide_records(folder / "wider.npz", 200_000, 10_000),
    "pages of 240 MB, Parquet": lambda folder: large_page(folder / "page.parquet", 30_000_000),
    "20,000 days": lambda folder: many_days(folder / "days.csv", 20_000),
    "0.5 GB of good rows": lambda folder: good_rows(folder / "half.csv", 0.5),
    "2 GB of good rows": lambda folder: good_rows(folder / "two.csv", 2),
}


def main(words: list[str]) -> None:
    """Measure all, or good rows of so many gigabytes."""
    bombs = BOMBS
    if words:
        bombs = {f"{words[1]} GB of good rows": lambda folder: good_rows(folder / "rows.csv", float(words[1]))}
    for name, made in bombs.items():
        with tempfile.TemporaryDirectory(dir=".") as folder:
            path = made(Path(folder))
            size = path.stat().st_size
            for what in ("import", "check"):
                found = (
                    imported(path, Path(folder) / "lake") if what == "import" else taken("data", "check", path, *STEPS)
                )
                print(f"| {name} | {size / 1e6:,.1f} MB | {what} | {found.peak_mb:,} MB | {found.seconds:.0f} s | "
                      f"{found.exit_code}: {found.last_line[-150:]} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
