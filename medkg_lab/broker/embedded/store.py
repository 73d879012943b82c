"""All topics of the broker: made, found again at start, removed, and kept within their limits."""

import asyncio
import logging
import re
import shutil
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from medkg_lab.broker.embedded import disk, recovery
from medkg_lab.broker.embedded.ages import AgeClock, Reading
from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Damaged, Refused
from medkg_lab.broker.embedded.flusher import Flusher
from medkg_lab.broker.embedded.limits import Limits
from medkg_lab.broker.embedded.log import PartitionLog
from medkg_lab.broker.embedded.meta import Meta, TopicRow
from medkg_lab.broker.embedded.segment import SUFFIX
from medkg_lab.broker.embedded.topic_config import TopicConfig

_log = logging.getLogger("medkg_lab.broker")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")
_AGES = "ages"
DEFAULT_PARTITIONS = 1


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _steady_ms() -> int:
    """Milliseconds since boot, suspended ones too: nothing sets this clock."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def is_topic_name(name: str) -> bool:
    """Whether a topic may be called so; it becomes the name of a folder."""
    return _NAME.fullmatch(name) is not None and name not in (".", "..")


@dataclass
class Topic:
    """A topic: its settings as they were given, and one log per partition."""

    name: str
    config: dict[str, str]
    logs: list[PartitionLog] = field(default_factory=list)


class Store:
    """The topics under `root`; `open` finds those of an earlier run again."""

    def __init__(
        self, root: Path, meta: Meta, flusher: Flusher, limits: Limits, ours: Mapping[str, int] | None = None
    ) -> None:
        """`ours` names the lab's own topics with their partitions, for which there is always room."""
        self.topics: dict[str, Topic] = {}
        self.disk_is_low = False
        self._root = root
        self._meta = meta
        self._flusher = flusher
        self._limits = limits
        self._ours = dict(ours or {})
        self._other_bytes = 0
        self._ages: AgeClock | None = None
        self._changing = asyncio.Lock()

    def open(self) -> None:
        """Recover every partition; a damaged one is there but offline. Also finishes deletions. Raises OSError."""
        disk.make_folders(self._root / "topics", self._root)
        for row in self._meta.topics():
            if row.deleting:
                self._remove_files(row.name)
                self._meta.finish_delete(row.name)
            else:
                self._open_topic(row)
        for folder in sorted((self._root / "topics").iterdir()):
            if folder.name not in self.topics:
                _log.warning("%s belongs to no topic and is left alone", folder)
        self.check_disk()
        self._count_others()
        self._ages = self._begin_ages()

    def _begin_ages(self) -> AgeClock:
        changes = [log.newest_change_ms for log in self.logs() if not log.offline]
        newest = max((change for change in changes if change is not None), default=None)
        return AgeClock(self._saved_ages(), newest, _wall_ms(), _steady_ms())

    def _saved_ages(self) -> Reading | None:
        text = self._meta.setting(_AGES)
        try:
            return None if text is None else Reading.parse(text)
        except ValueError:
            return None  # as at the first start: ages begin anew

    async def save_ages(self) -> None:
        """Note what the clock of ages shows, for the next start; without it ages begin anew there."""
        if self._ages is None:
            return
        try:
            await self._meta.run(self._meta.put_setting, _AGES, str(self._ages.reading(_wall_ms(), _steady_ms())))
        except sqlite3.Error as error:
            _log.error("the clock of ages was not kept: %s", error)

    def _open_topic(self, row: TopicRow) -> None:
        topic = self.topics[row.name] = Topic(row.name, row.config)
        starts = self._meta.log_starts(row.name)
        for partition in range(row.partitions):
            topic.logs.append(self._open_log(topic, partition, starts.get(partition, 0)))

    def _open_log(self, topic: Topic, partition: int, start: int) -> PartitionLog:
        folder = self._folder(topic.name, partition)
        log = PartitionLog(topic.name, partition, folder, TopicConfig.parse(topic.config))
        try:
            log.adopt(recovery.recover(folder, self._limits.producers_per_partition), start)
        except (Damaged, OSError) as error:
            log.fail(str(error))
        if log.cut_bytes:
            _log.warning(
                "%s-%d: cut %d bytes that a crash had torn, next offset %d",
                topic.name,
                partition,
                log.cut_bytes,
                log.end_offset,
            )
        return log

    def _folder(self, topic: str, partition: int) -> Path:
        return self._root / "topics" / topic / str(partition)

    @property
    def root(self) -> Path:
        """The folder that holds everything."""
        return self._root

    def logs(self) -> list[PartitionLog]:
        """Every partition's log."""
        return [log for topic in self.topics.values() for log in topic.logs]

    def log(self, topic: str, partition: int) -> PartitionLog:
        """The log of one partition. Raises Refused when there is none."""
        if not self.has(topic, partition):
            raise Refused(Code.UNKNOWN_TOPIC_OR_PARTITION, f"there is no {topic}-{partition}")
        return self.topics[topic].logs[partition]

    def has(self, topic: str, partition: int) -> bool:
        """Whether there is such a partition."""
        return topic in self.topics and 0 <= partition < len(self.topics[topic].logs)

    def topic(self, name: str) -> Topic:
        """The topic called `name`. Raises Refused when there is none."""
        found = self.topics.get(name)
        if found is None:
            raise Refused(Code.UNKNOWN_TOPIC_OR_PARTITION, f"there is no topic {name}")
        return found

    def check_new(self, name: str, partitions: int, config: dict[str, str]) -> int:
        """The number of partitions that a new topic would get (-1 asks for the default). Raises Refused when it cannot be."""
        if not is_topic_name(name):
            raise Refused(Code.INVALID_TOPIC_EXCEPTION, "a topic's name has 1 to 249 of A-Z a-z 0-9 . _ -")
        if name in self.topics:
            raise Refused(Code.TOPIC_ALREADY_EXISTS, f"topic {name} exists")
        TopicConfig.parse(config)
        wanted = DEFAULT_PARTITIONS if partitions == -1 else partitions
        self._check_room(name, wanted, wanted)
        return wanted

    def _check_room(self, name: str, of_topic: int, added: int) -> None:
        if not 1 <= of_topic <= self._limits.partitions_per_topic:
            raise Refused(Code.INVALID_PARTITIONS, f"a topic has 1 to {self._limits.partitions_per_topic} partitions")
        most = self._limits.partitions
        if name not in self._ours:  # room is kept for those of the lab's topics that are not there
            most -= sum(count for topic, count in self._ours.items() if topic not in self.topics)
        if len(self.logs()) + added > most:
            raise Refused(Code.INVALID_PARTITIONS, f"the broker keeps {self._limits.partitions} partitions at most")

    def is_ours(self, topic: str) -> bool:
        """Whether it is one of the lab's own topics."""
        return topic in self._ours

    def check_bytes(self, log: PartitionLog, size: int) -> None:
        """Raise Refused when `size` bytes more would be too many for the topics that are not the lab's."""
        if log.topic in self._ours:
            return
        if self._other_bytes + size > self._limits.other_bytes:
            most = self._limits.other_bytes
            raise Refused(Code.POLICY_VIOLATION, f"topics that are not the lab's have {most} bytes at most together")
        self._other_bytes += size

    def _count_others(self) -> None:
        logs = [log for log in self.logs() if log.topic not in self._ours and not log.offline]
        self._other_bytes = sum(log.size for log in logs)

    async def create_requested(self, name: str) -> Topic:
        """Make a topic because a client asked for it, bounded since nobody thought about its size. Raises Refused."""
        return await self.create(name, -1, {"retention.bytes": str(self._limits.auto_topic_bytes)})

    async def create(self, name: str, partitions: int, config: dict[str, str]) -> Topic:
        """Make a topic that is there after any crash once this returns. Raises Refused."""
        async with self._changing:
            topic = Topic(name, config)
            await self._grow(topic, self.check_new(name, partitions, config))
            self.topics[name] = topic
            return topic

    def check_growth(self, name: str, partitions: int) -> Topic:
        """The topic that would grow to `partitions`. Raises Refused when it cannot."""
        topic = self.topic(name)
        if partitions <= len(topic.logs):
            raise Refused(Code.INVALID_PARTITIONS, f"topic {name} has {len(topic.logs)} partitions already")
        self._check_room(name, partitions, partitions - len(topic.logs))
        return topic

    async def grow(self, name: str, partitions: int) -> None:
        """Give the topic more partitions. Raises Refused."""
        async with self._changing:
            await self._grow(self.check_growth(name, partitions), partitions)

    async def _grow(self, topic: Topic, partitions: int) -> None:
        """Folders first, then the row that makes them count: a crash between leaves empty folders, which may be reused.

        Nobody sees the partitions before the row is durable, so nothing is acknowledged in one that a crash takes away.
        """
        try:
            fresh = [self._make_log(topic, partition) for partition in range(len(topic.logs), partitions)]
            await self._meta.run(self._meta.put_topic, topic.name, partitions, topic.config)
        except (OSError, sqlite3.Error) as error:
            raise Refused(Code.KAFKA_STORAGE_ERROR, f"topic {topic.name} could not be kept: {error}") from error
        topic.logs.extend(fresh)

    def _make_log(self, topic: Topic, partition: int) -> PartitionLog:
        folder = self._folder(topic.name, partition)
        disk.make_folders(folder, self._root)
        if any(path.stat().st_size for path in folder.glob("*" + SUFFIX)):
            raise Refused(Code.KAFKA_STORAGE_ERROR, f"{folder} holds records of an unknown topic; move them away first")
        return self._open_log(topic, partition, 0)

    async def configure(self, name: str, config: dict[str, str], validate_only: bool) -> None:
        """Give a topic other settings, which hold from now on. Raises Refused."""
        parsed = TopicConfig.parse(config)
        async with self._changing:
            topic = self.topic(name)
            if validate_only:
                return
            try:
                await self._meta.run(self._meta.put_topic, name, len(topic.logs), config)
            except sqlite3.Error as error:
                raise Refused(Code.KAFKA_STORAGE_ERROR, f"the settings were not kept: {error}") from error
            topic.config = config
            for log in topic.logs:
                log.config = parsed

    async def delete(self, name: str) -> None:
        """Remove a topic with its records and every group's offsets in it. Raises Refused."""
        async with self._changing:
            topic = self.topic(name)
            try:
                await self._meta.run(self._meta.begin_delete, name)
                await self._close_topic(topic)
                self._remove_files(name)
                await self._meta.run(self._meta.finish_delete, name)
            except (OSError, sqlite3.Error) as error:
                raise Refused(Code.KAFKA_STORAGE_ERROR, f"topic {name} was not removed: {error}") from error
            self.topics.pop(name)

    async def _close_topic(self, topic: Topic) -> None:
        for log in topic.logs:
            log.fail("the topic was deleted")
            await self._flusher.wait_until_synced(log)
            log.close()

    def _remove_files(self, name: str) -> None:
        folder = self._root / "topics" / name
        if folder.exists():
            shutil.rmtree(folder)
        disk.sync_folder(folder.parent)

    def check_disk(self) -> None:
        """Note whether the disk is too full to take more."""
        low = disk.free_bytes(self._root) < self._limits.free_bytes
        if low != self.disk_is_low:
            _log.warning("disk space is %s", "low: produce requests are refused" if low else "sufficient again")
        self.disk_is_low = low

    def housekeeping(self) -> None:
        """Look at the disk and apply every topic's retention."""
        self.check_disk()
        self._count_others()
        assert self._ages is not None, "the store was opened"
        jump = self._ages.jump(_wall_ms(), _steady_ms())
        if jump:
            _log.warning("the clock was set by %.0f s; how old records are does not follow it", jump / 1000)
        now_ms = self._ages.now(_steady_ms())
        for log in self.logs():
            try:
                log.retain(now_ms)
            except OSError as error:
                _log.error("%s-%d: retention failed: %s", log.topic, log.partition, error)

    def checkpoint(self) -> None:
        """Keep what spares the next start from reading every batch. Raises OSError."""
        for log in self.logs():
            log.checkpoint()

    def close(self) -> None:
        """Give every descriptor back."""
        for log in self.logs():
            log.close()
