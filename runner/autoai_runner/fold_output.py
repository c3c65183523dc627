"""What a program printed, bounded and safe to show: head and tail, repeats folded, no terminal control.

Standard library only: it runs in the supervisor, on bytes that generated code chose.
"""

import codecs
import re
from collections import deque

HEAD_CHARACTERS = 2_500
TAIL_CHARACTERS = 2_500
# A line without end is cut into pieces of this length, so that memory stays bounded.
LINE_CHARACTERS = 8_192
# Fewer repetitions than this are shown as they came: the note would not be shorter.
FOLD_FROM = 3
TRACEBACK_CHARACTERS = 8_000

# CSI, OSC (and the other string sequences), and two-character escapes of ECMA-48.
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\|$)|[ -/]*[0-Z\\^-~])")
# C0 but for tab and newline, DEL, C1, lone surrogates, and the marks that reorder or hide text; tags, the
# last of them, can hide whole sentences.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


def _spell(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def neutralise(text: str) -> str:
    """Removes ANSI escapes and spells every other control character out, so that no terminal acts on it."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub(_spell, _ANSI.sub("", text))


def spell(text: str) -> str:
    """Spells every control character out, escapes and line ends too: for names, which should have none."""
    return _CONTROL.sub(_spell, text).replace("\n", "\\n").replace("\t", "\\t")


class Folded:
    """Head and tail of a text that is given line by line; memory is bounded whatever comes."""

    def __init__(self, head: int = HEAD_CHARACTERS, tail: int = TAIL_CHARACTERS) -> None:
        self._head_limit = head
        self._tail_limit = tail
        self._head: list[str] = []
        self._head_length = 0
        self._tail: deque[str] = deque()
        self._tail_length = 0
        self._length = 0
        self._line: str | None = None
        self._times = 0

    def line(self, line: str) -> None:
        """Takes a line, its newline included where it has one."""
        if line == self._line:
            self._times += 1
            return
        self._flush()
        self._line, self._times = line, 1

    def _flush(self) -> None:
        line, times = self._line, self._times
        if line is None:
            return
        self._line, self._times = None, 0
        if times < FOLD_FROM:
            for _ in range(times):
                self._append(line)
            return
        self._append(line if line.endswith("\n") else line + "\n")
        self._append(f"... repeated {times - 1} times\n")

    def _append(self, text: str) -> None:
        self._length += len(text)
        room = self._head_limit - self._head_length
        if room > 0:
            self._head.append(text[:room])
            self._head_length += len(text[:room])
            text = text[room:]
        if text:
            self._tail.append(text)
            self._tail_length += len(text)
            while self._tail_length - len(self._tail[0]) >= self._tail_limit:
                self._tail_length -= len(self._tail.popleft())

    def result(self) -> dict[str, str | int]:
        """`{head, tail, truncated}`: all of it in head where nothing had to be cut."""
        self._flush()
        head = "".join(self._head)
        tail = "".join(self._tail)[-self._tail_limit :]
        truncated = self._length - len(head) - len(tail)
        if truncated == 0:
            return {"head": head + tail, "tail": "", "truncated": 0}
        return {"head": head, "tail": tail, "truncated": truncated}


class Lines:
    """Bytes of one stream in, neutralised lines out. A carriage return starts its line again."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._rest = ""

    def feed(self, data: bytes, final: bool = False) -> list[str]:
        """The lines that are complete now; with `final`, all that is left."""
        text = self._rest + self._decoder.decode(data, final)
        lines: list[str] = []
        *whole, rest = text.split("\n")
        for line in whole:
            lines.extend(self._pieces(line, "\n"))
        while len(rest) > LINE_CHARACTERS:
            lines.append(self._clean(rest[:LINE_CHARACTERS]))
            rest = rest[LINE_CHARACTERS:]
        if final and rest:
            lines.append(self._clean(rest))
            rest = ""
        self._rest = rest
        return lines

    def _pieces(self, line: str, end: str) -> list[str]:
        cut = range(0, max(len(line), 1), LINE_CHARACTERS)
        pieces = [self._clean(line[start : start + LINE_CHARACTERS]) for start in cut]
        pieces[-1] += end
        return pieces

    @staticmethod
    def _clean(line: str) -> str:
        return neutralise(line.rstrip("\r").rpartition("\r")[2])


class Traceback:
    """The last Python traceback of a stream of lines, bounded: its first frames, and its last lines."""

    _START = "Traceback (most recent call last):"

    def __init__(self) -> None:
        self._head: list[str] = []
        self._tail: deque[str] = deque()
        self._length = 0
        self._open = False
        self._ended = False

    def line(self, line: str) -> None:
        """Takes a line of stderr."""
        start = line.lstrip(" |+").startswith(self._START)
        if start and not (self._open and not self._ended):
            # A chained exception is another traceback, and its last part says most.
            self._head, self._tail, self._length = [], deque(), 0
        if start:
            self._open, self._ended = True, False
        elif not self._open or self._ended:
            self._ended = self._ended or not self._open
            return
        if self._length < TRACEBACK_CHARACTERS // 2:
            self._head.append(line)
        else:
            self._tail.append(line)
            while sum(map(len, self._tail)) > TRACEBACK_CHARACTERS // 2 and len(self._tail) > 1:
                self._tail.popleft()
        self._length += len(line)
        if not start and line.strip() and not line.startswith((" ", "\t", "|", "+")):
            self._ended = True

    def result(self) -> str | None:
        """The traceback, or nothing where there was none."""
        if not self._head:
            return None
        head, tail = "".join(self._head), "".join(self._tail)
        cut = self._length - len(head) - len(tail)
        return (head + (f"... {cut} characters cut ...\n" if cut else "") + tail)[
            : TRACEBACK_CHARACTERS * 2
        ].rstrip()
