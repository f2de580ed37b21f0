"""Hostile bytes against the decoders of OpenBook: nothing but Malformed, no hang, no large allocation.

    python -m tests.rigs.fuzz_openbook --decoder v1.slab --executions 1000000 --seed 1

Good bytes are damaged at random: bits, bytes, numbers that lie at the edges, cuts, pieces of other good bytes. What is
decoded nevertheless is read out whole and encoded again: it must give the same bytes.
"""

import argparse
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from random import Random

from bmv.adapters.openbook.errors import Malformed

MEMORY = 512 * 1024 * 1024  # What decoding may take beyond what the process has when it begins, in bytes.
SECONDS = 0.5  # Of the processor: more for one execution is a hang.
EDGES = [0, 1, 2, 3, 4, 5, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1]


@dataclass(frozen=True)
class Target:
    """A decoder under fire.

    Args:
        run: Decodes, reads out whole and encodes; returns the bytes again.
        corpus: Good bytes.
    """

    run: Callable[[bytes], bytes]
    corpus: Sequence[bytes]


def targets() -> dict[str, Callable[[], Target]]:
    """Every decoder by name; each version's module of this folder adds its own."""
    found: dict[str, Callable[[], Target]] = {}
    for version in ("v1", "v2"):
        name = f"tests.rigs.fuzz_{version}"
        if find_spec(name) is not None:
            module = import_module(name)
            found |= {f"{version}.{key}": make for key, make in module.TARGETS.items()}
    return found


def damage(random: Random, data: bytearray, corpus: Sequence[bytes]) -> None:
    """Change `data` in one of many ways."""
    way, size = random.randrange(8), len(data)
    # Most of what matters lies at the front.
    at = random.randrange(min(size, 200) if random.random() < 0.5 else size) if size else 0
    if way == 0 and size:
        data[at] ^= 1 << random.randrange(8)
    elif way == 1 and size:
        data[at] = random.randrange(256)
    elif way in (2, 3):
        width = random.choice([1, 4, 8])
        data[at : at + width] = (random.choice(EDGES) % 256**width).to_bytes(width, "little")
    elif way == 4:
        del data[random.randrange(size + 1) :]
    elif way == 5:
        other = random.choice(corpus)
        start, n = random.randrange(len(other)), random.choice([1, 4, 8, 16, 72, 88])
        data[at : at + n] = other[start : start + n]
    elif way == 6:
        del data[at : at + random.choice([1, 2, 4, 8])]
    else:
        data[at:at] = random.randbytes(random.choice([1, 2, 4, 8]))


def fuzz(target: Target, executions: int, seed: int) -> dict[str, int]:
    """Run `target` on damaged bytes; return how often it refused, and how often it did not."""
    random = Random(seed)
    counts = {"refused": 0, "decoded": 0}
    for number in range(executions):
        data = bytearray(random.choice(target.corpus))
        for _ in range(random.choice([0, 1, 1, 2, 4])):
            damage(random, data, target.corpus)
        given = bytes(data)
        start = time.process_time()  # Of this process alone, so that no busy machine looks like a hang.
        try:
            again = target.run(given)
        except Malformed:
            counts["refused"] += 1
        else:
            counts["decoded"] += 1
            assert again == given, f"execution {number}: encoded to other bytes: {given[:200].hex()} …"
        took = time.process_time() - start
        assert took < SECONDS, f"execution {number}: {took:.1f} s for {given[:200].hex()} …"
    return counts


def limit_memory() -> None:
    """Let an allocation beyond reason fail, and with it the run."""
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, resource.RLIM_INFINITY))


def main() -> None:
    known = targets()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--decoder", choices=sorted(known), required=True)
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    target = known[options.decoder]()
    limit_memory()
    start = time.perf_counter()
    counts = fuzz(target, options.executions, options.seed)
    print(
        f"{options.decoder}: {counts} of {options.executions}, seed {options.seed}, {time.perf_counter() - start:.0f} s"
    )


if __name__ == "__main__":
    main()
