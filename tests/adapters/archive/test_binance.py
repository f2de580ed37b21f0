"""Daily files from an archive served on this machine in the layout of Binance's: whole, verified, and politely."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from bmv.adapters.archive.binance import Archive, ArchiveError, Fetched
from bmv.adapters.cli.main import main
from bmv.ports.errors import DataError, UsageError

DAY = date(2025, 9, 3)
NAME = "BTCUSDT-trades-2025-09-03.zip"
PLACE = f"/data/spot/daily/trades/BTCUSDT/{NAME}"
CONTENT = bytes(range(256)) * 4000


@dataclass
class Shop:
    """What the server has, how it misbehaves, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)  # Path, and range.
    cut_after: list[int] = field(default_factory=list)  # Bytes after which the next answers break off.
    refuse: list[tuple[int, dict[str, str]]] = field(default_factory=list)  # Statuses of the next answers.
    ranges: bool = True
    url: str = ""

    def put(self, place: str, content: bytes, stated: bytes | None = None) -> None:
        self.files[place] = content
        digest = hashlib.sha256(content if stated is None else stated).hexdigest()
        self.files[place + ".CHECKSUM"] = f"{digest}  {place.rsplit('/', 1)[1]}\n".encode()


@pytest.fixture
def shop() -> Iterator[Shop]:
    shop = Shop()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            shop.asked.append((self.path, asked))
            if shop.refuse:
                status, headers = shop.refuse.pop(0)
                return self.answer(status, b"", headers)
            content = shop.files.get(self.path)
            if content is None:
                return self.answer(404, b"")
            start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and shop.ranges else 0
            if start and start >= len(content):
                return self.answer(416, b"")
            return self.answer(206 if start else 200, content[start:])

        def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if len(body) > 1000 and shop.cut_after:
                body = body[: shop.cut_after.pop(0)]
                self.close_connection = True
            with suppress(BrokenPipeError, ConnectionResetError):
                self.wfile.write(body)

        def log_message(self, *words: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    shop.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield shop
    server.shutdown()
    server.server_close()
    thread.join()


def fetched(shop: Shop, folder: Path, last: date = DAY, waits: list[float] | None = None) -> list[Fetched]:
    waited = waits if waits is not None else []
    with httpx.Client(timeout=5) as client:
        archive = Archive(client, shop.url, sleep=waited.append)
        return list(archive.fetch("spot", "BTCUSDT", "trades", DAY, last, folder, lambda *_: None))


def test_a_file_is_fetched_once_and_then_kept(shop: Shop, tmp_path: Path) -> None:
    shop.put(PLACE, CONTENT)

    states = [fetched(shop, tmp_path)[0].state for _ in range(2)]

    assert states == ["fetched", "kept"]
    assert (tmp_path / NAME).read_bytes() == CONTENT
    assert [path for path, _ in shop.asked] == [PLACE + ".CHECKSUM", PLACE]


def test_a_download_that_is_cut_off_goes_on_where_it_stopped(shop: Shop, tmp_path: Path) -> None:
    shop.put(PLACE, CONTENT)
    shop.cut_after = [300_000, 100_000]

    (file,) = fetched(shop, tmp_path)

    assert file.path.read_bytes() == CONTENT
    starts = [int(asked.removeprefix("bytes=").rstrip("-") or 0) for path, asked in shop.asked if path == PLACE]
    assert starts == [0, 300_000, 400_000]


def test_the_part_of_a_killed_download_is_not_fetched_again(shop: Shop, tmp_path: Path) -> None:
    shop.put(PLACE, CONTENT)
    (tmp_path / f".{NAME}.part").write_bytes(CONTENT[:700_000])

    (file,) = fetched(shop, tmp_path)

    assert file.path.read_bytes() == CONTENT
    assert (PLACE, "bytes=700000-") in shop.asked


@pytest.mark.parametrize("part", [b"of an older version" * 1000, CONTENT + b"longer than the file"])
def test_a_part_of_another_file_is_found_out_and_all_is_fetched_anew(shop: Shop, tmp_path: Path, part: bytes) -> None:
    shop.put(PLACE, CONTENT)
    (tmp_path / f".{NAME}.part").write_bytes(part)

    (file,) = fetched(shop, tmp_path)

    assert file.path.read_bytes() == CONTENT


def test_a_server_that_knows_no_ranges_sends_all_of_it(shop: Shop, tmp_path: Path) -> None:
    shop.put(PLACE, CONTENT)
    shop.ranges = False
    (tmp_path / f".{NAME}.part").write_bytes(CONTENT[:1000])

    (file,) = fetched(shop, tmp_path)

    assert file.path.read_bytes() == CONTENT


def test_a_file_that_is_not_what_its_checksum_states_is_never_kept(shop: Shop, tmp_path: Path) -> None:
    shop.put(PLACE, CONTENT, stated=b"something else")

    with pytest.raises(DataError, match="its SHA-256 is not the"):
        fetched(shop, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_a_kept_file_that_was_damaged_since_is_fetched_again(shop: Shop, tmp_path: Path) -> None:
    shop.put(PLACE, CONTENT)
    fetched(shop, tmp_path)
    (tmp_path / NAME).write_bytes(b"damaged")

    (file,) = fetched(shop, tmp_path)

    assert file.state == "fetched"
    assert file.path.read_bytes() == CONTENT


def test_a_day_that_the_archive_lacks_is_absent_and_the_others_come(shop: Shop, tmp_path: Path) -> None:
    shop.put(PLACE.replace("09-03", "09-04"), CONTENT)

    files = fetched(shop, tmp_path, last=date(2025, 9, 5))

    assert [file.state for file in files] == ["absent", "fetched", "absent"]


def test_who_is_asked_to_wait_waits_as_long_as_asked(shop: Shop, tmp_path: Path) -> None:
    shop.put(PLACE, CONTENT)
    shop.refuse = [(429, {"Retry-After": "17"}), (503, {})]
    waits = list[float]()

    fetched(shop, tmp_path, waits=waits)

    assert waits == [17.0, 34.0]


def test_between_two_files_there_is_a_rest(shop: Shop, tmp_path: Path) -> None:
    waits = list[float]()

    fetched(shop, tmp_path, last=date(2025, 9, 5), waits=waits)

    assert waits == [0.2, 0.2]


def test_an_archive_that_is_away_is_given_up_with_the_part_kept(shop: Shop, tmp_path: Path) -> None:
    shop.put(PLACE, CONTENT)
    shop.cut_after = [1000] * 5

    with pytest.raises(ArchiveError, match="no answer in 5 tries, the last: RemoteProtocolError"):
        fetched(shop, tmp_path)

    assert (tmp_path / f".{NAME}.part").stat().st_size == 5000


def test_the_command_says_what_it_fetched_and_what_there_is_not(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.put(PLACE, CONTENT)
    words = ["data", "download", "BTCUSDT", "--kind", "trades", "--from", "2025-09-03", "--to", "2025-09-04"]

    code = main([*words, "--out", str(tmp_path), "--url", shop.url])

    said = capsys.readouterr()
    assert code == 0
    assert said.out.splitlines() == [
        f"fetched {tmp_path / NAME}",
        "absent  BTCUSDT-trades-2025-09-04.zip: the archive has no such day",
    ]


def test_a_download_of_nothing_ends_with_4(shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["data", "download", "NOPE", "--from", "2025-09-03", "--to", "2025-09-03", "--url", shop.url]

    code = main([*words, "--out", str(tmp_path)])

    assert code == 4
    assert "the archive has none of these days" in capsys.readouterr().err


def test_days_that_run_back_are_wrong_use() -> None:
    with pytest.raises(UsageError, match="not before the first"), httpx.Client() as client:
        list(Archive(client).fetch("spot", "A", "trades", DAY, date(2025, 9, 1), Path("x"), lambda *_: None))
