"""A line that is asked: one answer over HTTP, of bounded size, every failure a declared error."""

import httpx

from bmv.adapters.prices.line import HERE, Line, LineError, retry_after_s

TIMEOUT_S = 10.0
ANSWER_BYTES_MAX = 1 << 18
AGE_S_MAX = 86_400


def make_client() -> httpx.AsyncClient:
    """Return a client of HTTP; what is on this machine is asked directly, whatever proxy the environment names."""
    here = dict.fromkeys(f"all://[{host}]" if ":" in host else f"all://{host}" for host in HERE)
    return httpx.AsyncClient(timeout=TIMEOUT_S, mounts=here)


async def ask(line: Line, client: httpx.AsyncClient) -> tuple[bytes, int]:
    """Return what a line answers, and for how many seconds that lay in a cache; `LineError` where it does not."""
    body = bytearray()
    try:
        async with client.stream("GET", line.address, headers=dict(line.headers)) as answer:
            if answer.status_code != httpx.codes.OK:
                wait_s = retry_after_s(answer.status_code, answer.headers)
                raise LineError(f"{line.shown}: answers {answer.status_code}", wait_s)
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > ANSWER_BYTES_MAX:
                    raise LineError(f"{line.shown}: answers more than {ANSWER_BYTES_MAX} bytes")
            return bytes(body), _age_s(answer.headers.get("age", ""))
    except httpx.TimeoutException:
        raise LineError(f"{line.shown}: does not answer within {TIMEOUT_S:g} s") from None
    except httpx.HTTPError as error:  # Its text may name the address.
        raise LineError(f"{line.shown}: can't be reached ({type(error).__name__})") from None


def _age_s(text: str) -> int:
    return min(int(text[:9]), AGE_S_MAX) if text.isascii() and text.isdigit() else 0
