"""The core (core.h) for Python: the built library for this machine through ctypes, else its
WebAssembly through wasmtime.

ctypes releases the interpreter's lock, so that the threads of one `Core` compute at the same time.
"""

from __future__ import annotations

import atexit
import ctypes
import mmap
import os
import platform
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from playground.sampling import NUMBERED

BUILT = Path(__file__).parent / "built"
SUFFIXES = {"linux": "so", "darwin": "dylib", "win32": "dll"}
MACHINES = {"x86_64": "x86_64", "amd64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}
COLUMNS = 8  # tokens that are computed at once (core.h)
MAX_ALTERNATIVES, MAX_TOP_K = 10, 200
ALIGN, PAGE = 64, 65_536  # bytes
# Memory that a forked process does not share; Windows has no forks.
PRIVATE = {} if sys.platform == "win32" else {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS}
DRAWS = 64  # computed at once
TOO_LARGE = -2  # of core_check()
NOT_A_NUMBER, NOTHING_LEFT, UNSOUND = -1, -2, -3  # answers without an id
WRONG_QUESTION = "a setting of the next token, or an id, is out of its range."

HEADER = np.dtype(
    [("magic", "S8"), ("size", "<u4")]
    + [(name, "<i4") for name in (
        "block", "weights", "hidden", "heads", "kv_heads", "width", "mlp", "layers", "context",
        "ids", "table_rows", "head_rows",
    )]
    + [("epsilon", "<f4"), ("reserved", "<i4", 16)]
)  # fmt: skip
COLUMN = np.dtype([(name, "<i4") for name in ("id", "slot", "position", "question")])
LISTS = ("seen", "banned", "begins", "continues")  # of a question: ids, at addresses
SETTINGS = 16  # of a question, at their numbers (sampling.py)
QUESTION = np.dtype(
    [(NUMBERED.get(number, f"setting_{number}"), "<f8") for number in range(SETTINGS)]
    + [("draw", "<f8")]
    + [(name, "<i4") for name in ("known", "alternatives")]
    + [(f"num_{name}", "<i4") for name in LISTS]
    + [("written", "<i4"), ("reserved", "<i4")]
    + [(name, "<u8") for name in LISTS]
)
ANSWER = np.dtype(
    [("id", "<i4"), ("rank", "<i4")]
    + [(name, "<f8") for name in ("probability", "chosen", "log_total", "entropy")]
    + [
        ("num_alternatives", "<i4"),
        ("reserved", "<i4"),
        ("alternative", "<i4", MAX_ALTERNATIVES),
        ("alternative_probability", "<f8", MAX_ALTERNATIVES),
    ]
)


class Answer(NamedTuple):
    """A record of `ANSWER`; core.h describes its fields."""

    id: int
    rank: int
    probability: float
    chosen: float
    log_total: float
    entropy: float
    num_alternatives: int
    reserved: int
    alternative: np.ndarray
    alternative_probability: np.ndarray


HEAD = np.dtype(
    [("ids", "<i4"), ("unique", "<i4")]
    + [(name, "<u8") for name in ("unique_of", "starts", "members")]
)
# What the functions take: "p" an address, "z" a size, "i" an int32, "u" a uint32; and what they
# return, "d" for a double.
FUNCTIONS = {
    "core_check": ("pz", "i"),
    "core_room": ("piii", "z"),
    "core_open": ("ppiii", "p"),
    "core_step": ("pipipp", "i"),
    "core_logits": ("pipip", "i"),
    "core_help": ("p", ""),
    "core_wants_help": ("pi", "i"),
    "core_head": ("pp", ""),
    "core_borrow": ("piii", ""),
    "core_own": ("pi", ""),
    "choice_room": ("ii", "z"),
    "choice_answer": ("ppppp", ""),
    "choice_ranking": ("pppppp", "i"),
    "choice_uniform": ("uu", "d"),
}
TYPES = {
    "p": ctypes.c_void_p, "z": ctypes.c_size_t, "i": ctypes.c_int32, "u": ctypes.c_uint32,
    "d": ctypes.c_double, "": None,
}  # fmt: skip


class Machine(Protocol):
    """The core on this machine, native or in WebAssembly. Its memory lives as long as the
    machine.

    Attributes:
        has_threads: whether several threads may call functions at the same time.
    """

    has_threads: bool

    def keep(self, values: np.ndarray) -> int:
        """The address of an array, or of a copy where the core can reach it."""

    def room(self, size: int) -> int:
        """The address of so many bytes, all of them zero."""

    def read(self, address: int, dtype: Any, count: int) -> np.ndarray:
        """A copy of what lies at an address."""

    def call(self, name: str, *arguments: Any) -> Any:
        """Call a function of `FUNCTIONS`. Arrays stand for their addresses; what the function
        writes to them is there when it returns."""


class Native:
    """A built library."""

    has_threads = True

    def __init__(self, functions: dict[str, Any]) -> None:
        self._functions = functions
        self._kept: list[np.ndarray] = []

    def keep(self, values: np.ndarray) -> int:
        """See `Machine`. Vectors that cross lines of memory are read slowly, so what does not begin
        with one is copied."""
        if values.ctypes.data % ALIGN or not values.flags.c_contiguous:
            buffer = np.empty(values.nbytes + ALIGN, np.uint8)
            copy = buffer[-buffer.ctypes.data % ALIGN :][: values.nbytes]
            copy[:] = np.ascontiguousarray(values).reshape(-1).view(np.uint8)
            values = copy
        self._kept.append(values)
        return values.ctypes.data

    def room(self, size: int) -> int:
        """See `Machine`. numpy would ask Linux for huge pages, and a story's first tokens would
        wait up to 100 ms for them."""
        try:
            memory = mmap.mmap(-1, size, **PRIVATE)
        except (OSError, OverflowError):
            raise MemoryError from None
        self._kept.append(np.frombuffer(memory, np.uint8))
        return int(self._kept[-1].ctypes.data)

    def read(self, address: int, dtype: Any, count: int) -> np.ndarray:
        """See `Machine`."""
        size = count * np.dtype(dtype).itemsize
        return np.frombuffer(ctypes.string_at(address, size), dtype)

    def call(self, name: str, *arguments: Any) -> Any:
        """See `Machine`."""
        return self._functions[name](
            *(one.ctypes.data if isinstance(one, np.ndarray) else one for one in arguments)
        )


class Wasm:
    """The WebAssembly: memory of its own, so that arrays are copied to it and back, and one call
    at a time."""

    has_threads = False

    def __init__(self, wasmtime: Any, engine: Any, module: Any) -> None:
        self._store = wasmtime.Store(engine)
        self._exports = wasmtime.Instance(self._store, module, []).exports(self._store)
        self._memory = self._exports["memory"]
        self._end = -(-self._exports["__heap_base"].value(self._store) // ALIGN) * ALIGN
        self._lock = threading.Lock()

    def keep(self, values: np.ndarray) -> int:
        """See `Machine`."""
        address = self.room(values.nbytes)
        self._memory.write(self._store, np.ascontiguousarray(values).tobytes(), address)
        return address

    def room(self, size: int) -> int:
        """See `Machine`."""
        address: int = self._end
        end = -(-(address + size) // ALIGN) * ALIGN
        missing = -(-end // PAGE) - self._memory.size(self._store)
        if missing > 0:
            try:
                self._memory.grow(self._store, missing)
            except Exception:  # wasmtime's own
                raise MemoryError from None
        self._end = end
        return address

    def read(self, address: int, dtype: Any, count: int) -> np.ndarray:
        """See `Machine`."""
        size = count * np.dtype(dtype).itemsize
        return np.frombuffer(self._memory.read(self._store, address, address + size), dtype)

    def call(self, name: str, *arguments: Any) -> Any:
        """See `Machine`."""
        with self._lock:
            end, copies = self._end, []
            values: list[Any] = []
            for one in arguments:
                if isinstance(one, np.ndarray):
                    given = self._with_ids(one) if one.dtype == QUESTION else one
                    copies.append((one, self.keep(given)))
                    one = copies[-1][1]
                values.append(one)
            found = self._exports[name](self._store, *values)
            for array, address in copies:
                if array.flags.writeable and array.dtype != QUESTION:
                    array[...] = self.read(address, array.dtype, array.size).reshape(array.shape)
            self._clear(end)
            return found % 2**32 if FUNCTIONS[name][1] in ("p", "z") else found

    def _with_ids(self, questions: np.ndarray) -> np.ndarray:
        """Questions whose ids lie where the core can reach them."""
        questions = questions.copy()
        for question in questions.reshape(-1):
            for ids in LISTS:
                if count := int(question[f"num_{ids}"]):
                    content = ctypes.string_at(int(question[ids]), 4 * count)
                    question[ids] = self.keep(np.frombuffer(content, np.uint8))
        return questions

    def _clear(self, end: int) -> None:
        """Give back what a call took."""
        self._memory.write(self._store, bytes(self._end - end), end)
        self._end = end


def open_machine() -> Machine:
    """Return the fastest machine that can run the core here.

    Raises:
        ValueError: there is nothing; says what to install.
    """
    functions = native_functions()
    return Native(functions) if functions else Wasm(*compiled_wasm())


def library_file() -> Path:
    """Where the library for this system and processor is, if there is one."""
    machine = MACHINES.get(platform.machine().lower(), "other")
    system = "windows" if sys.platform == "win32" else sys.platform
    return BUILT / f"core-{system}-{machine}.{SUFFIXES.get(sys.platform)}"


@cache
def native_functions() -> dict[str, Any] | None:
    """The functions of the library for this system and processor; None without a library."""
    file = library_file()
    if sys.maxsize < 2**32 or not file.is_file():
        return None
    try:
        library = ctypes.CDLL(str(file))
    except OSError:  # such as a system that is older than the library's
        return None
    functions = {}
    for name, (arguments, result) in FUNCTIONS.items():
        functions[name] = getattr(library, name)
        functions[name].argtypes = [TYPES[one] for one in arguments]
        functions[name].restype = TYPES[result]
    return functions


@cache
def compiled_wasm() -> tuple[Any, Any, Any]:
    """wasmtime, an engine, and the core compiled for it.

    Raises:
        ValueError: wasmtime is not installed.
    """
    if find_spec("wasmtime") is None:
        raise ValueError(
            f"there is no library of the core for {platform.system()} on {platform.machine()}: "
            "install wasmtime (pip install wasmtime), which runs it as WebAssembly."
        )
    import wasmtime

    atexit.register(compiled_wasm.cache_clear)  # at the very end, wasmtime could not close it
    engine = wasmtime.Engine()
    return wasmtime, engine, wasmtime.Module.from_file(engine, str(BUILT / "core.wasm"))


class Head:
    """Which row of logits each id has, and the choice of an id. Threads may share it.

    Attributes:
        ids: how many there are.
        unique: rows of logits.
        unique_of: (ids,) int32, the row of each id.
    """

    def __init__(self, unique_of: np.ndarray | int) -> None:
        """`unique_of` is an array, or how many ids there are if each has its own row."""
        if is_shared := isinstance(unique_of, np.ndarray):
            self.unique_of = unique_of.astype(np.int32)
        else:
            self.unique_of = np.arange(unique_of, dtype=np.int32)
        self.ids = len(self.unique_of)
        self.unique = int(self.unique_of.max()) + 1
        self._machine = open_machine()
        starts = np.concatenate([[0], np.cumsum(np.bincount(self.unique_of))]).astype(np.int32)
        members = np.argsort(self.unique_of, kind="stable").astype(np.int32)
        arrays = (self.unique_of, starts, members)
        addresses = [self._machine.keep(array) if is_shared else 0 for array in arrays]
        self._head = self._machine.keep(np.array([(self.ids, self.unique, *addresses)], HEAD))
        self._rooms = threading.local()

    def answer(self, logits: np.ndarray, question: np.ndarray) -> np.ndarray:
        """Answer a question about logits.

        Args:
            logits: (unique,) float32.
            question: a record of `QUESTION`. Ids at `LISTS` must stay where they are.

        Returns:
            A record of `ANSWER`.

        Raises:
            ValueError: the question is out of its ranges.
        """
        answers = np.zeros(1, ANSWER)
        questions = np.array([question], QUESTION).reshape(1)
        self._machine.call(
            "choice_answer", self._head, self._row(logits), questions, answers, self._room()
        )
        if answers["id"][0] == UNSOUND:
            raise ValueError(WRONG_QUESTION)
        answer: np.ndarray = answers[0]
        return answer

    def ranking(self, logits: np.ndarray, question: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All ids that a question about logits (unique,) does not ban, and their logits after its
        penalty and what it raises, (n,) int32 and float64: from the likeliest down, equal ones by
        id."""
        ids, found = np.zeros(self.ids + 1, np.int32), np.zeros(self.ids)
        questions = np.array([question], QUESTION).reshape(1)
        count = self._machine.call(
            "choice_ranking", self._head, self._row(logits), questions, ids, found, self._room()
        )
        return ids[:count], found[:count]

    def _row(self, logits: np.ndarray) -> np.ndarray:
        logits = np.ascontiguousarray(logits, np.float32)
        if logits.shape != (self.unique,):
            raise ValueError(f"logits must be ({self.unique},), not {logits.shape}.")
        return logits

    def _room(self) -> int:
        """Working memory of this thread."""
        if not hasattr(self._rooms, "address"):
            size = self._machine.call("choice_room", self.ids, self.unique)
            self._rooms.address = self._machine.room(size)
        address: int = self._rooms.address
        return address


@dataclass
class Chunk:
    """Tokens of one story to process: `ids` at `slot` from position `start` on. `asked`: offsets of
    the tokens whose next token is requested."""

    slot: int
    start: int
    ids: list[int]
    asked: range = range(0)


class Core:
    """A model file and the core that computes it with several threads: a decoder
    (model/decoder.py).

    Attributes:
        header: a record of `HEADER`.
        threads: how many compute a step.
        slots, context: what there is room for; before `reserve`, the model's context.
        head: its ids; set by `reserve`.
    """

    bytes_per_slot = 0

    def __init__(self, content: Any, threads: int | None = None) -> None:
        """Open a model file (bytes, a mapped file, or an array of bytes). `threads`: None for one
        per CPU core.

        Raises:
            ValueError: the file is damaged, or there is no such number of threads.
            MemoryError: memory does not suffice.
        """
        file = np.frombuffer(content, np.uint8)
        self._machine = open_machine()
        self._file = checked(self._machine, file)
        self.header = np.frombuffer(file[: HEADER.itemsize].tobytes(), HEADER)[0]
        self.threads = usable_cores() if threads is None else threads
        self.slots, self.context = 0, int(self.header["context"])
        sizes = [self.room(slots, self.context) for slots in (1, 2)]
        self.bytes_per_token = -((sizes[0] - sizes[1]) // self.context)
        self.tokens_per_step = COLUMNS * self.threads
        self._helpers = ThreadPoolExecutor(max(1, self.threads - 1), "core")
        self._help: list[Future[None]] = []

    def room(self, slots: int, context: int) -> int:
        """Return the bytes of memory that the slots take, and all else that a step needs.

        Raises:
            ValueError: there is no such number.
        """
        size = self._machine.call("core_room", self._file, slots, context, self.threads)
        if not size:
            raise ValueError(f"the model cannot be opened with {slots} slots of {context}.")
        return int(size)

    def reserve(self, slots: int, context: int) -> None:
        """See `decoder.Decoder`."""
        memory = self._machine.room(self.room(slots, context))
        self.slots, self.context = slots, context
        self._core = self._machine.call(
            "core_open", self._file, memory, slots, context, self.threads
        )
        head = np.zeros(1, HEAD)
        self._machine.call("core_head", self._core, head)
        self.head = Head(
            self._machine.read(int(head["unique_of"][0]), np.int32, int(head["ids"][0]))
        )

    def step(self, chunks: list[Chunk], questions: np.ndarray) -> np.ndarray:
        """See `decoder.Decoder`. Ids at `LISTS` must stay where they are.

        Raises:
            ValueError: a number is out of its range.
        """
        questions = np.ascontiguousarray(questions, QUESTION)
        answers = np.zeros(len(questions), ANSWER)
        self._compute("core_step", columns_of(chunks), len(questions), questions, answers)
        return answers

    def logits(self, chunks: list[Chunk]) -> np.ndarray:
        """See `decoder.Decoder`."""
        rows = sum(len(chunk.asked) for chunk in chunks)
        found = np.zeros((rows, self.head.unique), np.float32)
        self._compute("core_logits", columns_of(chunks), rows, found)
        return found

    def _compute(self, name: str, columns: np.ndarray, asked: int, *arrays: np.ndarray) -> None:
        """Call a function that feeds columns."""
        self._call_helpers(len(columns))
        wrong = self._machine.call(name, self._core, len(columns), columns, asked, *arrays)
        if wrong == UNSOUND:
            raise ValueError(WRONG_QUESTION)
        if wrong:
            raise ValueError(
                f"a number of column {wrong - 1} is out of its range: {columns[wrong - 1]} with "
                f"{self.header['ids']} ids, {self.slots} slots, {self.context} positions and "
                f"{asked} questions."
            )

    def _call_helpers(self, count: int) -> None:
        """Have other threads help with the next step, of `count` columns; more threads than that,
        or than eight, would only wait. They stay for a while, and one that has left says so only
        once it has the interpreter's lock: so each is called twice."""
        call = self._machine.call
        if not (self._machine.has_threads and call("core_wants_help", self._core, count)):
            return
        helpers = min(self.threads, max(COLUMNS, count)) - 1
        self._help = [one for one in self._help if not one.done()]
        for _ in range(len(self._help), 2 * helpers):
            self._help.append(self._helpers.submit(call, "core_help", self._core))

    def borrow(self, source: int, slot: int, positions: int) -> None:
        """Let `slot` read its first positions where `source` has them and keeps them."""
        if not (0 <= source < self.slots and 0 <= slot < self.slots and source != slot):
            raise ValueError(f"slot {slot} cannot borrow from slot {source}.")
        if not 0 <= positions <= self.context:
            raise ValueError(f"{positions} positions cannot be borrowed.")
        self._machine.call("core_borrow", self._core, source, slot, positions)

    def own(self, slot: int) -> None:
        """Give a slot its own copy of what it borrowed."""
        if not 0 <= slot < self.slots:
            raise ValueError(f"there is no slot {slot}.")
        self._machine.call("core_own", self._core, slot)


def columns_of(chunks: list[Chunk]) -> np.ndarray:
    """Return a COLUMN for every token. The chunks' order numbers the questions; the longest chunk
    comes first, so that threads which take one after another end at about the same time."""
    number = count()
    columns = [
        [
            (token_id, chunk.slot, chunk.start + k, next(number) if k in chunk.asked else -1)
            for k, token_id in enumerate(chunk.ids)
        ]
        for chunk in chunks
    ]
    return np.array(
        [one for chunk in sorted(columns, key=len, reverse=True) for one in chunk], COLUMN
    )


def usable_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def checked(machine: Machine, file: np.ndarray) -> int:
    """The address of a model file, once it is known to be good.

    Raises:
        ValueError: it is not.
    """
    address = machine.keep(file) if len(file) else 0
    found = machine.call("core_check", address, file.nbytes)
    if found == TOO_LARGE:
        raise ValueError("the model file has sizes that the core does not compute.")
    if found:
        raise ValueError("the model file is damaged: fetch it or make it again.")
    return address


def uniform(seed: int, position: int) -> float:
    """The uniform number in [0, 1) of token `position` of a story: SplitMix64 (Steele, Lea and
    Flood 2014) at counter (seed, position), its upper 53 bits."""
    return uniforms(seed, position // DRAWS)[position % DRAWS]


@lru_cache(1_000)
def uniforms(seed: int, block: int) -> list[float]:
    """The next numbers of a story, since a call between two steps costs more than many in a row:
    the step has taken the caches of the processor."""
    call, first = shared_machine().call, DRAWS * block
    return [call("choice_uniform", seed, position) for position in range(first, first + DRAWS)]


@cache
def shared_machine() -> Machine:
    """Return a machine for functions that need no memory; it is made once."""
    return open_machine()
