"""What a verb raises when the fault lies in what it was given, not in us."""

from __future__ import annotations

MAX_MESSAGE = 2048
MAX_REASON = 64


class Refusal(Exception):  # noqa: N818 - the word of the contract (RunnerRefusal)
    """The input cannot be used. Becomes `error.json` (`RunnerRefusal`) and exit code 2.

    `reason` is a stable word for programs (`TooLarge`); `message` is one line for a person: what was
    expected, what was found, what to do. `line` is the 1-based physical line of the input, `column` a
    column's name.
    """

    def __init__(
        self, reason: str, message: str, *, line: int | None = None, column: str | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason[:MAX_REASON]
        self.message = one_line(message, MAX_MESSAGE)
        self.line = line
        self.column = column

    def as_json(self) -> dict[str, object]:
        """The document of `RunnerRefusal`; absent fields are left out."""
        document: dict[str, object] = {"reason": self.reason, "message": self.message}
        if self.line is not None:
            document["line"] = self.line
        if self.column is not None:
            document["column"] = self.column
        return document


def one_line(text: str, limit: int) -> str:
    """`text` with line breaks and other control characters escaped, cut at `limit` characters.

    Cell text and names come from strangers: on a terminal or in a prompt they must not be able to move a
    cursor, start a new line, or turn the reading direction.
    """
    head = text[: limit + 1]
    if not head.isprintable():
        head = "".join(ch if ch.isprintable() else ch.encode("unicode_escape").decode("ascii") for ch in head)
    return head if len(head) <= limit else head[: limit - 1] + "…"
