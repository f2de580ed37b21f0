"""Compiling is said on a terminal, and Ctrl-C or SIGTERM breaks it off, whenever it comes."""

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from bmv.backtest.compiling import NOTE, interruptible

WAIT_S = 30.0
TELL = "from bmv.backtest.compiling import tell_of_compiling; tell_of_compiling()"


@pytest.fixture(autouse=True)
def _a_terminal_that_is_listened_to() -> Iterator[None]:
    """What runs in the background ignores Ctrl-C, and so would whatever it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def engine() -> llvm.ExecutionEngine:
    """LLVM, about to compile a function."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    module = llvm.parse_assembly("define i32 @one() {\n ret i32 1\n}")
    return llvm.create_mcjit_compiler(module, llvm.Target.from_default_triple().create_target_machine())


def test_ctrl_c_while_llvm_calls_back_breaks_off(engine: llvm.ExecutionEngine) -> None:
    before = signal.getsignal(signal.SIGINT)
    engine.set_object_cache(notify_func=lambda *_: signal.raise_signal(signal.SIGINT))

    def compile_and_go_on() -> None:
        with interruptible():
            engine.finalize_object()
            time.sleep(WAIT_S)

    with pytest.raises(KeyboardInterrupt):
        compile_and_go_on()

    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_while_something_is_freed_breaks_off() -> None:
    class Freed:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def free_and_go_on() -> None:
        with interruptible():
            Freed()
            time.sleep(WAIT_S)

    with pytest.raises(KeyboardInterrupt):
        free_and_go_on()


def test_ctrl_c_between_two_callbacks_breaks_off_at_once() -> None:
    after = []

    def break_off() -> None:
        with interruptible():
            signal.raise_signal(signal.SIGINT)
            after.append("it went on")

    with pytest.raises(KeyboardInterrupt):
        break_off()

    assert after == []


@pytest.mark.parametrize(("terminal", "line"), [(True, NOTE), (False, "")], ids=["terminal", "pipe"])
def test_a_terminal_is_told_of_compiling(tmp_path: Path, terminal: bool, line: str) -> None:
    ours, theirs = pty.openpty() if terminal else os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", TELL], stderr=theirs, env=os.environ | {"BMV_CACHE_DIR": str(tmp_path)}
    )
    process.wait()
    os.write(theirs, b"\n")

    assert os.read(ours, 4096).decode().strip() == line
