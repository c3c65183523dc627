"""What is shown of a program's output: bounded, folded, harmless."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from autoai_runner.fold_output import Folded, Lines, Traceback, neutralise, spell


def shown(text: str) -> dict[str, str | int]:
    folded, lines = Folded(), Lines()
    for line in lines.feed(text.encode(), final=True):
        folded.line(line)
    return folded.result()


def test_short_output_is_whole() -> None:
    text = "".join(f"{n}\n" for n in range(900))
    assert shown(text) == {"head": text, "tail": "", "truncated": 0}


def test_long_output_is_head_and_tail_and_the_count_between() -> None:
    text = "".join(f"{n:09}\n" for n in range(2000))
    assert shown(text) == {"head": text[:2500], "tail": text[-2500:], "truncated": 15_000}


def test_output_of_exactly_both_parts_is_whole() -> None:
    text = "".join(f"{n:09}\n" for n in range(500))
    assert shown(text) == {"head": text, "tail": "", "truncated": 0}


def test_repeated_lines_are_folded_wherever_they_stand() -> None:
    text = "a\n" + "same\n" * 5000 + "b\n" + "pair\n" * 2 + "end\n" * 4
    expected = "a\nsame\n... repeated 4999 times\nb\npair\npair\nend\n... repeated 3 times\n"
    assert shown(text)["head"] == expected


def test_a_line_without_end_is_bounded_in_memory() -> None:
    lines = Lines()
    for _ in range(100):
        lines.feed(b"x" * 100_000)
    assert len(lines._rest) <= 8_192


MAKES_A_TERMINAL_ACT = {"Cc", "Cs"}
REORDERS = {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}


@given(st.lists(st.binary(max_size=50) | st.text(max_size=20).map(str.encode), max_size=20))
def test_no_bytes_in_any_pieces_make_a_terminal_act(pieces: list[bytes]) -> None:
    lines, together = Lines(), Lines()
    out = [line for piece in pieces for line in lines.feed(piece)] + lines.feed(b"", final=True)
    characters = set("".join(out)) - set("\n\t")
    assert not {c for c in characters if unicodedata.category(c) in MAKES_A_TERMINAL_ACT}
    assert not {c for c in characters if unicodedata.bidirectional(c) in REORDERS}
    assert "".join(out) == "".join(together.feed(b"".join(pieces), final=True))


@given(st.lists(st.sampled_from(["a\n", "b\n", "c" * 999 + "\n", "d"]), max_size=60))
def test_nothing_is_lost_without_being_counted(parts: list[str]) -> None:
    folded = Folded(head=100, tail=100)
    whole = Folded(head=10**9, tail=10**9)
    for part in parts:
        folded.line(part)
        whole.line(part)
    result, all_of_it = folded.result(), str(whole.result()["head"])
    assert len(str(result["head"])) + len(str(result["tail"])) + int(result["truncated"]) == len(all_of_it)
    assert all_of_it.startswith(str(result["head"]))
    assert all_of_it.endswith(str(result["tail"]))


def test_escapes_are_removed_and_controls_are_spelt() -> None:
    assert (
        neutralise("\x1b[1;31mred\x1b[0m\x1b]8;;http://x\x1b\\link\x1b(B \x07 \u202e")
        == "redlink \\x07 \\u202e"
    )
    assert neutralise("so\xadft\U000e0041") == "so\\xadft\\U000e0041"
    assert spell("a\nb\x1b[2J") == "a\\nb\\x1b[2J"


def test_a_carriage_return_starts_its_line_again() -> None:
    assert shown(" 10%\r 50%\r100%\r\nnext\r\n")["head"] == "100%\nnext\n"


def traceback_of(text: str) -> str | None:
    traceback = Traceback()
    for line in text.splitlines(keepends=True):
        traceback.line(line)
    return traceback.result()


def test_the_last_traceback_is_found_and_nothing_around_it() -> None:
    first = 'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\nKeyError: 1'
    last = 'Traceback (most recent call last):\n  File "b.py", line 2, in f\n    x\nValueError: no'
    middle = "\n\nDuring handling of the above exception, another exception occurred:\n\n"
    assert traceback_of(f"warning\n{first}{middle}{last}\nafter\n") == last
    assert traceback_of("no traceback here\n") is None


def test_a_traceback_of_any_length_is_bounded() -> None:
    frames = "".join(f'  File "x.py", line {n}, in f{n}\n    f{n + 1}()\n' for n in range(20_000))
    result = traceback_of(f"Traceback (most recent call last):\n{frames}RecursionError: too deep\n")
    assert result is not None
    assert len(result) < 10_000
    assert result.startswith("Traceback") and result.endswith("RecursionError: too deep")
