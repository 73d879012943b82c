"""Tables read again by the places of their characters: one row for each line, columns where blanks run down the table.

A converter that finds cells by ruled lines may put all lines of a cell together ("39.850.0"); here no two lines ever meet in a
cell unless the second goes on with a small letter.
"""

import html
import re
from collections import Counter
from collections.abc import Sequence
from statistics import median

from medkg_lab.pdf.glyphs import Glyph, Word, lines_of

_CELL = re.compile(r"<t[dh]\b[^>]*>(.*?)</t[dh]>", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_MINUS = re.compile("[-−–‐]")
_SCRIPTED = re.compile(r"\d<sup>[-−–]?\d+</sup>")
_LETTERS = re.compile(r"[^\W\d_]{4,}")
_PHRASE_GAP = 0.7
"""A gap wider than this share of the usual height parts two phrases; columns stand further apart, words nearer."""
_SCRIPT = 0.85
"""A character lower than this share of the usual height is a script, if it also stands off the line."""
_ONE_ROW = 0.9
"""Lines nearer than this share of the usual height overlap: a cell of several lines stands beside one of a single line."""
_OFF_THE_LINE = 0.12
_FEW = 0.1
"""The share of lines, headers that span columns, which may cross a gap between columns."""
_LONGEST_TOKEN = 200
_GOES_ON = re.compile(r"[a-z(),;]")

Phrase = list[Word]


def has_broken_cells(content: str, glyphs: Sequence[Glyph]) -> bool:
    """Whether cells of an HTML table hold words that are several words on the page, or only parts of one."""
    there = {word.text for line in lines_of(glyphs) for word in line}
    if not there:
        return False
    cells = [html.unescape(_TAG.sub("", cell)) for cell in _CELL.findall(content)]
    odd = [token for cell in cells for token in cell.split() if len(token) > 1 and token not in there]
    parts = {part for word in there for part in _LETTERS.findall(word)}
    torn = (part for token in odd for part in _LETTERS.findall(token) if part not in parts)
    return any(_is_fused(token, there) for token in odd) or any(_is_part(part, parts) for part in torn)


def with_scripts(content: str, glyphs: Sequence[Glyph]) -> str | None:
    """The HTML table with the scripts that its page has and its cells lack; None when a cell for one is not found."""
    if not glyphs:
        return content
    usual = median(one.height for one in glyphs)
    missing: Counter[tuple[str, str]] = Counter()
    for line in lines_of(glyphs):
        for word in line:
            written = _written([word], usual)
            if "<su" in written:
                missing[html.escape(word.text, quote=False), written] += 1
    for (plain, written), times in missing.items():
        there = content.count(written)
        pattern = _MINUS.sub("[-−–‐]", re.escape(plain).replace("\\-", "-"))
        whole = re.compile(rf"(?<![^\s>]){pattern}(?![^\s<])")
        content, made = whole.subn(lambda _, new=written: new, content, count=max(0, times - there))  # type: ignore[misc]
        if there + made < times and re.search(r"\d<sup>[-−–]?\d", written) and not _has_marked(content, written):
            return None
    return content


def _has_marked(content: str, written: str) -> bool:
    """Whether the raised parts of a word are raised in the table, wherever its words end there."""
    return all(part in content for part in _SCRIPTED.findall(written))


def _is_fused(token: str, there: set[str]) -> bool:
    """Whether the token is two or more words of the page that meet in letters or digits."""
    if len(token) > _LONGEST_TOKEN:
        return True
    reached = {0}
    for end in range(1, len(token) + 1):
        if any(token[start:end] in there and (not start or _meet(token, start)) for start in reached):
            reached.add(end)
    return len(token) in reached


def _meet(token: str, place: int) -> bool:
    if token[place - 1].islower() and token[place].islower():
        # A long word that a narrow cell wraps.
        return False
    return (token[place - 1].isalnum() or token[place - 1] in "%)") and (token[place].isalnum() or token[place] in "<>")


def _is_part(letters: str, words: set[str]) -> bool:
    return any(len(word) > len(letters) + 1 and (word.startswith(letters) or word.endswith(letters)) for word in words)


def read_grid(glyphs: Sequence[Glyph]) -> str:
    """The table as HTML, or "" when its lines have no columns."""
    lines = lines_of(glyphs)
    if len(lines) < 2:
        return ""
    usual = median(one.height for one in glyphs)
    phrases = [_phrases(line, usual) for line in lines]
    cuts = _cuts(phrases, usual)
    if not cuts:
        return ""
    rows: list[list[str]] = []
    last = 0.0
    for line in phrases:
        cells = _cells(line, cuts, usual)
        middle = median(one.middle for phrase in line for word in phrase for one in word.glyphs)
        near, last = middle - last < usual * _ONE_ROW, middle
        if rows and (_is_continued(rows[-1], cells) or (near and _beside(rows[-1], cells))):
            rows[-1] = [" ".join(filter(None, pair)) for pair in zip(rows[-1], cells, strict=True)]
        else:
            rows.append(cells)
    written = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tbody>{written}</tbody></table>"


def _phrases(line: Sequence[Word], usual: float) -> list[Phrase]:
    phrases: list[Phrase] = []
    for word in line:
        if phrases and word.x0 - phrases[-1][-1].x1 <= usual * _PHRASE_GAP:
            phrases[-1].append(word)
        else:
            phrases.append([word])
    return phrases


def _cuts(lines: Sequence[Sequence[Phrase]], usual: float) -> list[float]:
    """The x of the gaps between columns: where hardly any line has text, and lines have text on both sides."""
    edges = sorted(
        [(phrase[0].x0, 1) for line in lines for phrase in line]
        + [(phrase[-1].x1, -1) for line in lines for phrase in line]
    )
    allowed = int(len(lines) * _FEW)
    cuts: list[float] = []
    covered = 0
    began: float | None = None
    for x, step in edges:
        before, covered = covered, covered + step
        if before > allowed >= covered:
            began = x
        elif before <= allowed < covered and began is not None:
            if x - began >= usual * _PHRASE_GAP / 2:
                cuts.append((began + x) / 2)
            began = None
    return cuts


def _cells(line: Sequence[Phrase], cuts: Sequence[float], usual: float) -> list[str]:
    cells = [""] * (len(cuts) + 1)
    for phrase in line:
        spans = sum(phrase[0].x0 < cut < phrase[-1].x1 for cut in cuts)
        middle = phrase[0].x0 if spans else (phrase[0].x0 + phrase[-1].x1) / 2
        column = sum(cut < middle for cut in cuts)
        cells[column] = f"{cells[column]} {_written(phrase, usual)}".strip()
    return cells


def _written(phrase: Phrase, usual: float) -> str:
    whole = [one.box[3] for word in phrase for one in word.glyphs if one.height >= usual * _SCRIPT]
    base = median(whole) if whole else phrase[0].glyphs[0].box[3]
    return " ".join("".join(_character(one, base, usual) for one in word.glyphs) for word in phrase).replace(
        "</sup><sup>", ""
    )


def _character(one: Glyph, base: float, usual: float) -> str:
    text = html.escape(one.text, quote=False)
    if one.height >= usual * _SCRIPT:
        return text
    if one.box[3] < base - usual * _OFF_THE_LINE:
        return f"<sup>{text}</sup>"
    return f"<sub>{text}</sub>" if one.box[3] > base else text


def _is_continued(row: Sequence[str], cells: Sequence[str]) -> bool:
    """Whether every text of a line goes on with the cell above, as the label does when the row above is its beginning."""
    if row[0] and not any(row[1:]) and _GOES_ON.match(cells[0]):
        return True
    return all(not cell or (above and _GOES_ON.match(cell)) for above, cell in zip(row, cells, strict=True))


def _beside(row: Sequence[str], cells: Sequence[str]) -> bool:
    """Whether a line that overlaps the row above it belongs to that row: other columns of it, or more of its first cell."""
    taken = any(above and cell for above, cell in zip(row, cells, strict=True))
    return not taken or not any(cells[1:])
