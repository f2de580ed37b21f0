"""The endpoints that a configuration names: what each is for, and where its websocket is."""

from pathlib import Path

import pytest
from sandboxes import running

from bmv.adapters.cli.named_market import endpoints_of
from bmv.adapters.config import Config, load
from bmv.adapters.sandbox.wiring import Settings
from bmv.adapters.solana.endpoints import READ, ROLES, SEND
from bmv.ports.errors import ConfigError

A, B = "https://a.example/?api-key=1", "https://b.example"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with running(Settings(), tmp_path_factory.mktemp("sandbox")) as live:
        return Path(live.config)


def configured(written: Path, *sets: str) -> Config:
    return load(written, sets)


@pytest.mark.parametrize(
    ("read", "send", "roles"),
    [
        ([A, B], [], [ROLES, ROLES]),
        ([A], [B], [(READ,), (SEND,)]),
        ([A, B], [B], [(READ,), ROLES]),
    ],
)
def test_an_endpoint_is_for_what_the_configuration_says(
    written: Path, read: list[str], send: list[str], roles: list[tuple[str, ...]]
) -> None:
    config = configured(written, f"live.endpoints={read}", f"live.send_endpoints={send}")

    assert [endpoint.roles for endpoint in endpoints_of(config)] == roles


def test_the_websocket_that_is_named_is_the_first_endpoints(written: Path) -> None:
    config = configured(written, f"live.endpoints={[A, B]}", "live.websocket=wss://else.example")

    assert [endpoint.websocket for endpoint in endpoints_of(config)] == ["wss://else.example", "wss://b.example"]


def test_a_port_that_is_none_is_the_configurations_fault(written: Path) -> None:
    with pytest.raises(ConfigError, match="expected a URL such as"):
        endpoints_of(configured(written, "live.endpoints=['http://node:port']"))
