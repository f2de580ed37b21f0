"""The smallest programs that the chain's virtual machine loads, made without a toolchain.

They fill the address of a program that a double plays, or stand in for a built-in one. A few hundred bytes each: an ELF
file of type ET_DYN for BPF, with one segment that holds the instructions.
"""

import struct

NAMES = b"\0.text\0.shstrtab\0"
HEADER, SEGMENT, SECTION = 64, 56, 64  # Bytes of the ELF structures.
MOV, EXIT = 0xB7, 0x95  # Load a constant into a register; return.


def instruction(code: int, constant: int = 0) -> bytes:
    """Return one eBPF instruction on register 0."""
    return struct.pack("<BBhi", code, 0, 0, constant)


def returning(value: int, units: int = 2) -> bytes:
    """Return a program that takes `units` compute units and returns `value`: 0 succeeds, else `Custom(value)`.

    A unit is an instruction; there are at least two.
    """
    return _file(instruction(MOV, value) * (units - 1) + instruction(EXIT))


def _file(text: bytes) -> bytes:
    start = HEADER + SEGMENT
    names = start + len(text)
    sections = (names + len(NAMES) + 7) & ~7
    head = b"\x7fELF" + bytes([2, 1, 1, 0]) + bytes(8)
    head += struct.pack("<HHIQQQIHHHHHH", 3, 247, 1, start, HEADER, sections, 0, HEADER, SEGMENT, 1, SECTION, 3, 2)
    segment = struct.pack("<IIQQQQQQ", 1, 5, start, start, start, len(text), len(text), 0x1000)
    table = bytes(SECTION)
    table += struct.pack("<IIQQQQIIQQ", 1, 1, 6, start, start, len(text), 0, 0, 8, 0)
    table += struct.pack("<IIQQQQIIQQ", 7, 3, 0, 0, names, len(NAMES), 0, 0, 1, 0)
    body = head + segment + text + NAMES
    return body + bytes(sections - len(body)) + table
