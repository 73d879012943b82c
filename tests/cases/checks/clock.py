"""A wall clock that is wrong for a moment, in front of the C library's."""

import os
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from medkg_lab.broker.client import topic_listing
from medkg_lab.lab.facade import Lab
from tests.cases.case import Context, Outcome, case
from tests.cases.checks.broker import documents
from tests.labs import TestLab
from tests.waiting import wait_until

SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
static volatile long *ahead(void) {
  static volatile long *found;
  static long none;
  if (!found) {
    const char *path = getenv("CASE_CLOCK");
    int file = path ? open(path, O_RDONLY) : -1;
    void *map = file < 0 ? MAP_FAILED : mmap(0, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
    found = map == MAP_FAILED ? &none : (volatile long *)map;
  }
  return found;
}
int clock_gettime(clockid_t which, struct timespec *when) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int code = real(which, when);
  if (!code && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) when->tv_sec += *ahead();
  return code;
}
int gettimeofday(struct timeval *when, void *zone) {
  struct timespec now;
  int code = clock_gettime(CLOCK_REALTIME, &now);
  when->tv_sec = now.tv_sec; when->tv_usec = now.tv_nsec / 1000;
  return code;
}
time_t time(time_t *where) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (where) *where = now.tv_sec;
  return now.tv_sec;
}
"""
TWENTY_YEARS = 20 * 365 * 24 * 3600


@dataclass(frozen=True)
class ClockedLab(TestLab):
    """A lab whose wall clock is ahead by the seconds in a file."""

    shim: Path = Path()
    clock: Path = Path()

    @property
    def environment(self) -> dict[str, str]:
        """As usual, with the clock in front of the C library's."""
        return super().environment | {"LD_PRELOAD": str(self.shim), "CASE_CLOCK": str(self.clock)}

    def set_ahead(self, seconds: int) -> None:
        """Set the clock of all of its processes."""
        with self.clock.open("r+b") as file:
            file.write(struct.pack("=l", seconds))


@case("lab/20", "a clock 20 years ahead for 5 s takes no record from any topic and no run from Dagster")
def clock_forward(given: Context) -> Outcome:
    """A lab that has worked, and a wall clock that is wrong for a moment."""
    source, shim, clock = (given.scratch / name for name in ("shim.c", "shim.so", "clock"))
    source.write_text(SHIM)
    clock.write_bytes(struct.pack("=l", 0))
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-o", str(shim), str(source), "-ldl"], check=True, capture_output=True
    )
    home = given.scratch / "lab"
    home.mkdir(mode=0o700)
    cache = Path(os.environ.get("MEDKG_LAB_CACHE", str(home / "cache")))
    lab = ClockedLab(home, cache, shim, clock)
    lab.ok("up")
    try:
        lab.ok("submit", *documents(), "--wait")
        address = Lab.at(home).bootstrap
        before, runs = topic_listing(address), len(list(Lab.at(home).dagster_runs()))
        broker_log = home / "state" / "logs" / "broker.log"
        lab.set_ahead(TWENTY_YEARS)
        wait_until(lambda: "the clock was set by" in broker_log.read_text(), 20, "the broker's notice")
        until = time.monotonic() + 5
        wait_until(lambda: time.monotonic() > until, 10, "the end of the time for which the clock is wrong")
        lab.set_ahead(0)
        firsts = {one.first for one in topic_listing(address)}
        kept = all(now.next >= one.next for now, one in zip(topic_listing(address), before, strict=True))
        runs_after = len(list(Lab.at(home).dagster_runs()))
        right = firsts == {0} and kept and runs_after == runs > 0
        return Outcome(
            right, f"first offsets {sorted(firsts)}, all kept: {kept}, Dagster's runs {runs} -> {runs_after}"
        )
    finally:
        lab.run("down")
