"""Cases of the screen and the commands: any terminal, any locale, any stream, any number, a full disk."""

import csv
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from medkg_lab.topology import bundled
from tests.cases.case import Context, Outcome, case
from tests.disks import NoMount, fill_up, small_disk
from tests.labs import TestLab
from tests.terminals import IN_USE, RESTORED, screen_in_terminal
from tests.waiting import wait_until

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
CONTROLS = re.compile(rb"\x1b|\x07|\xc2[\x80-\x9f]|\xe2\x80[\x8e\x8f\xaa-\xae]|\xe2\x81[\xa6-\xa9]")


def run(
    lab: TestLab, *arguments: str, environment: dict[str, str] | None = None, redirection: str = ""
) -> "subprocess.CompletedProcess[bytes]":
    """A command with other streams or another environment."""
    command = ["bash", "-c", f'"$@" {redirection}', "bash", sys.executable, "-m", "medkg_lab.cli.main", *arguments]
    return subprocess.run(
        [os.fsencode(word) for word in command],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=120,
        env=lab.environment | {"LC_ALL": "C.UTF-8"} | (environment or {}),
    )


def on_terminal(lab: TestLab, *arguments: str) -> bytes:
    """What a command writes to a terminal, on both streams."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "medkg_lab.cli.main", *arguments]
    environment = lab.environment | {"LC_ALL": "C.UTF-8", "TERM": "xterm", "NO_COLOR": "1"}
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    written = b""
    try:
        while data := os.read(master, 65536):
            written += data
    except OSError:
        pass  # the command has ended
    os.close(master)
    process.wait(60)
    return written


def judged(faults: list[str], what: str) -> Outcome:
    """Right without faults."""
    return Outcome(not faults, "; ".join(faults)[:900] or what)


def traceback_in(done: "subprocess.CompletedProcess[bytes]") -> bool:
    told = done.stdout + done.stderr
    return any(word in told for word in (b"Traceback", b"Exception ignored", b"fault of medkg-lab"))


@case("lab/02", "the screen goes on after bytes that are not UTF-8, and asks for SGR mouse reports again")
def x10_mouse(given: Context) -> Outcome:
    with screen_in_terminal(given.scratch) as terminal:
        terminal.sees(*IN_USE, b"No lab")
        for data in (b"\x1b[M \xe00", b"\xe9", b"\x1b[M\xff\xff\xff" * 2000, b"\x1b[M ", b"\xff" * 2000):
            terminal.type(data)
            terminal.type(*(data[at : at + 1] for at in range(min(20, len(data)))))
        at = len(terminal.written)
        terminal.type(b"\x1b[M \xe00")
        terminal.sees(b"\x1b[?1006h", after=at)
        wait_until(lambda: terminal.code is None, 1, "the screen going on")
        at = len(terminal.written)
        terminal.type(b"2")
        terminal.sees(b"DOCUMENT", after=at)
        terminal.signal(signal.SIGTERM)
        return Outcome(terminal.ended() == 143, "it went on, asked again, and showed the jobs at the key 2")


@case("lab/03", "every command prints in any locale; JSON stays JSON, and a file's text UTF-8")
def ascii_stdout(given: Context) -> Outcome:
    faults = []
    commands = (
        ["submit", "--help"], ["submit", "x", "--help"], ["search", "heart"], ["sql", "select 'é漢'"],
        ["sql", "--csv", "select 'é漢'"], ["graph", "node", "heart"], ["jobs", "list"], ["pipeline", "list"], ["status"],
    )  # fmt: skip
    with given.lab() as lab:
        lab.ok("submit", str(bundled.folder() / "demo" / "trials"), "--wait")
        for environment in (ASCII, {"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "ascii"}):
            for command in commands:
                done = run(lab, *command, environment=environment)
                if traceback_in(done):
                    faults.append(f"{command} in {environment}: {done.stderr[-200:]!r}")
                if "--csv" in command and "é漢" in done.stdout.decode(errors="replace"):
                    continue  # what is a file is whole: RFC 4180's text in UTF-8, on a terminal alone escaped
                if "latin-1" not in environment.values() and not (done.stdout + done.stderr).isascii():
                    faults.append(f"{command} in {environment} printed other characters")
        shown = run(lab, "sql", "select 'é漢' as word", environment={"PYTHONIOENCODING": "ascii"}).stdout
    if b"\\xe9\\u6f22" not in shown:
        faults.append(f"sql printed {shown!r}")
    return judged(faults, "27 commands printed, what the terminal lacks as \\u codes")


@case("lab/04", "one sentence and exit code 2, before a lab is asked")
def not_utf8(given: Context) -> Outcome:
    word = "caf\udce9"
    commands = (
        ["search", word], ["jobs", "show", word], ["jobs", "list", "--doc", word], ["sql", word], ["graph", "node", word],
        ["gate", "open", word], ["restart", word], ["broker", "tail", word], ["broker", "produce", word, "x"],
        ["broker", "produce", "x", word], ["events", "--job", word], ["repro", "export", word, "--out", "x"],
        ["ledger", "snapshot", word], ["submit", word], ["pipeline", "show", word],
    )  # fmt: skip
    faults = []
    lab = given.stopped_lab()
    for command in commands:
        done = run(lab, *command)
        if done.returncode != 2 or traceback_in(done) or b"is not UTF-8" not in done.stderr:
            faults.append(f"{command[:2]} ended with {done.returncode}: {done.stderr[-200:]!r}")
    return judged(faults, f"{len(commands)} commands: {done.stderr.splitlines()[-1].decode()}")


@case("lab/07", "an exit code and no traceback, whatever is closed or full")
def closed_streams(given: Context) -> Outcome:
    faults = []
    expected = (
        (["jobs", "list"], ">&-", 0), (["status", "--json"], ">&-", 0), (["broker", "produce", "t"], "<&-", 2),
        (["--help"], ">/dev/full", 1), (["jobs", "list"], ">/dev/full", 1), (["status"], "2>&-", 0),
        (["jobs", "show", "nope"], "2>/dev/full", 2), (["status"], "<&- >&- 2>&-", 0), (["sql", "select 1"], ">/dev/full", 1),
    )  # fmt: skip
    with given.lab() as lab:
        for command, redirection, code in expected:
            done = run(lab, *command, redirection=redirection)
            if done.returncode != code or traceback_in(done):
                faults.append(f"{command} {redirection} ended with {done.returncode}: {done.stderr[-200:]!r}")
    return judged(faults, f"{len(expected)} commands ended with {[code for *_, code in expected]}")


@case("lab/08", "the messages are there with PYTHONOPTIMIZE=2, in the lab's processes too")
def optimized(given: Context) -> Outcome:
    faults = []
    lab = given.stopped_lab()
    for command, words in (
        (["jobs", "show", "nope"], b"No lab is running"),
        (["submit", "nope"], b"neither a file nor"),
    ):
        done = run(lab, *command, environment={"PYTHONOPTIMIZE": "2"})
        if words not in done.stderr:
            faults.append(f"{command}: {done.stderr!r}")
    up = run(lab, "up", environment={"PYTHONOPTIMIZE": "2"})
    try:
        remote = run(lab, "sql", "selekt 1", environment={"PYTHONOPTIMIZE": "2"})
        if up.returncode or b"selekt" not in remote.stderr:
            faults.append(f"up {up.returncode}, from the ledger: {remote.stderr!r}")
    finally:
        lab.run("down")
    return judged(faults, "the sentences, from the command and from the ledger")


@case("lab/10", "the terminal is restored, exit codes 143, 129 and 130")
def ended_by_signals(given: Context) -> Outcome:
    faults = []
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        with screen_in_terminal(given.scratch) as terminal:
            terminal.sees(*IN_USE, b"No lab")
            terminal.signal(number)
            code, written = terminal.ended(), terminal.written
        missing = [word for word in RESTORED if written.rfind(word) < written.rfind(IN_USE[0])]
        if code != 128 + number or missing:
            faults.append(f"{number.name}: exit {code}, not written {missing}")
    return judged(faults, "143, 129, 130, each after all modes were taken back")


@case("lab/22", "at once the sentence that status has: The disk of … is full", as_root=True)
def full_disk(given: Context) -> Outcome:
    home = given.scratch / "lab"
    faults = []
    try:
        with small_disk(home):
            lab = given.stopped_lab()
            lab.ok("up")
            try:
                fill_up(home / "ballast", left=1 << 20)
                for target in (str(bundled.folder() / "demo" / "trials"), "NCT01234567"):
                    done = lab.run("submit", target, timeout=20)
                    if done.code != 1 or "is full" not in done.err:
                        faults.append(f"exit {done.code}: {done.err[-300:]}")
                why = lab.ok("status", "--why")["why"]
                sentence = next((one for one in why if "is full" in one), "")
                if not sentence or sentence.partition(":")[0] not in done.err:
                    faults.append(f"status says {why}")
                (home / "ballast").unlink()
                lab.ok("submit", str(bundled.folder() / "demo" / "trials"), "--wait")
            finally:
                lab.run("down")
    except NoMount:
        return Outcome(False, "no file system can be mounted here")
    return judged(faults, done.err.strip())


@case("security/15", "definition errors with line and column; the lab comes up, dagsterd does not restart")
def yaml_numbers(given: Context) -> Outcome:
    faults = []
    folder = given.scratch / "lab" / "config" / "pipelines"
    lab = given.stopped_lab()
    folder.mkdir(parents=True, mode=0o700)
    for path in given.inputs.glob("*.yaml"):
        shutil.copy(path, folder / f"zz-{path.name}")
    for name, number in {"float": ".inf", "huge": "1.0e+99999", "bits": "9" * 30, "ratio": "1:" * 500 + "1"}.items():
        (folder / f"zz-{name}.yaml").write_text(f"version: '1.0'\nname: zz-{name}\nstages:\n  - {{x: {number}}}\n")
    checked = run(lab, "pipeline", "validate")
    places = {
        line.split(":")[0]
        for line in checked.stdout.decode().splitlines()
        if re.search(r":\d+:\d+: \[(number|scalar)\]", line)
    }
    if traceback_in(checked) or checked.returncode != 1 or len(places) != len(list(folder.iterdir())):
        faults.append(f"validate ended with {checked.returncode} and named {sorted(places)}")
    up = run(lab, "up")
    try:
        restarts = {one["name"]: one["restarts"] for one in lab.ok("status")["processes"]}
        if up.returncode or any(restarts.values()):
            faults.append(f"up ended with {up.returncode}, restarts {restarts}")
    finally:
        lab.run("down")
    return judged(faults, f"{len(places)} files refused with their places; up, no restarts")


@case("security/18", "no control characters on a terminal; piped CSV as it is; --out is written")
def control_characters(given: Context) -> Outcome:
    faults = []
    hostile = "chr(27)||']0;Q'||chr(7)||chr(155)||chr(8238)"
    document = given.scratch / "hostile.json"
    trial = next((bundled.folder() / "demo" / "trials").glob("*.json")).read_text()
    document.write_text(re.sub(r'("briefTitle": ")', "\\1\\\\u001b]0;Q\\\\u0007\\\\u009b31m\\\\u202e ", trial, count=1))
    with given.lab() as lab:
        lab.ok("submit", str(document), "--wait")
        job = lab.ok("jobs", "list")
        name = (job if isinstance(job, list) else job["jobs"])[0]["job_id"]
        (lab.home / "state" / "logs" / "hostile.log").write_text("\x1b]0;Q\x07 \x9b31m \u202e\n")
        commands = (
            ["sql", "--csv", f"SELECT {hostile}"], ["sql", f"SELECT {hostile}"], ["sql", f"SELEKT {chr(27)}]0;Q"],
            ["graph", "export"], ["graph", "export", "--format", "graphml"], ["graph", "export", "--format", "jsonld"],
            ["repro", "show", "x\x1b]0;Q\x07.mklab"], ["repro", "import", "x\x1b]0;Q\x07.mklab", "--home", f"{lab.home}/i"],
            ["pipeline", "validate", "x\x1b]0;Q\x07\u202e.yaml"], ["submit", "x\x1b]0;Q\x07\u202e"], ["logs", "hostile"],
            ["jobs", "list"], ["jobs", "show", name], ["jobs", "show", name, "--stage", "parse"], ["events"],
            ["broker", "tail", "ingest.requests.v1"], ["graph", "node", "\x1b]0;Q"], ["mesh", "import", "\x1b]0;Q\x07"],
        )  # fmt: skip
        for command in commands:
            if found := CONTROLS.findall(on_terminal(lab, *command)):
                faults.append(f"{command[:3]} wrote {found[:5]}")
        piped = run(lab, "sql", "--csv", f"SELECT {hostile} AS x").stdout.decode()
        if next(csv.reader([piped.splitlines()[1]])) != ["\x1b]0;Q\x07\x9b\u202e"]:
            faults.append(f"piped CSV is {piped!r}")
        lab.run("graph", "export", "--out", str(given.scratch / "out"))
        if not Path(given.scratch / "out" / "graph.jsonl").is_file():
            faults.append("graph export --out wrote nothing")
    return judged(
        faults, f"{len(commands)} commands on a terminal wrote none; piped CSV kept them; DIR/graph.jsonl is there"
    )


@case("documents/32", "DIR/graph.jsonl is written")
def export_to_a_folder(given: Context) -> Outcome:
    with given.lab() as lab:
        lab.ok("submit", str(bundled.folder() / "demo" / "trials"), "--wait")
        done = lab.run("graph", "export", "--out", str(given.scratch / "out"))
    lines = (given.scratch / "out" / "graph.jsonl").read_text().splitlines()
    return Outcome(
        done.code == 0 and len(lines) > 10 and not done.out, f"exit {done.code}, {len(lines)} lines in graph.jsonl"
    )
