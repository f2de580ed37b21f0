"""Whether a market may be set up on: it is looked at as `bmv market` does, and any finding is a reason not to."""

from pathlib import Path

from bmv.adapters.cli.named_market import look
from bmv.adapters.openbook.inspection.records import worst
from bmv.live.chain.seated import Seated


async def refuse_doubtful(path: Path, seated: Seated) -> None:
    """Raise what is wrong with the market of a configuration, if anything is."""
    endpoints = seated.readers.endpoints
    _, _, findings = await seated.readers.ask(lambda _: look(path, seated.config, endpoints))
    if findings:
        raise worst(findings)("\n".join(finding.text for finding in findings))
