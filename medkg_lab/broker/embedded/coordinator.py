"""All consumer groups and their committed offsets."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from medkg_lab.broker.embedded.codes import Code
from medkg_lab.broker.embedded.errors import Refused
from medkg_lab.broker.embedded.groups import Group
from medkg_lab.broker.embedded.limits import Limits
from medkg_lab.broker.embedded.members import Join, Joined, Sync, Synced
from medkg_lab.broker.embedded.meta import Committed, Meta

A = TypeVar("A")


class Coordinator:
    """Groups live in memory, their members join again after a restart; committed offsets are on the disk before they are
    acknowledged and are answered from memory."""

    def __init__(self, meta: Meta, limits: Limits) -> None:
        self._meta = meta
        self._limits = limits
        self._groups: dict[str, Group] = {}
        self._offsets: dict[str, dict[tuple[str, int], Committed]] = defaultdict(dict)
        for row in meta.committed():
            self._offsets[row.group][row.topic, row.partition] = row

    def names(self) -> list[str]:
        """Every group that has members or offsets."""
        return sorted({name for name, group in self._groups.items() if group.members} | {*self._offsets})

    def group(self, name: str) -> Group:
        """The group called `name`; one that nobody ever joined is empty."""
        return self._groups.get(name) or Group(name, asyncio.get_running_loop(), self._limits)

    def _group_to_join(self, name: str) -> Group:
        if not name:
            raise Refused(Code.INVALID_GROUP_ID, "a group has a name")
        if name not in self._groups:
            if len(self._groups) >= self._limits.groups:
                self._groups = {key: group for key, group in self._groups.items() if not group.is_idle}
            if len(self._groups) >= self._limits.groups:
                raise Refused(Code.COORDINATOR_NOT_AVAILABLE, f"there are {self._limits.groups} groups already")
            self._groups[name] = self.group(name)
        return self._groups[name]

    async def join(self, name: str, ask: Join) -> Joined:
        """Have a member join; returns when its group has a generation with it. Raises Refused."""
        group = self._group_to_join(name)
        return await _answered(lambda reply: group.join(ask, reply))

    async def sync(self, name: str, ask: Sync) -> Synced:
        """Have a member learn its assignment."""
        group = self.group(name)
        return await _answered(lambda reply: group.sync(ask, reply))

    async def commit(self, name: str, rows: Iterable[Committed]) -> None:
        """Keep the offsets of `rows`, all or none; the caller has checked who commits. Raises sqlite3.Error, Refused."""
        kept = list(rows)
        if name not in self._offsets and len(self._offsets) >= self._limits.groups:
            raise Refused(Code.COORDINATOR_NOT_AVAILABLE, f"{self._limits.groups} groups have offsets already")
        if not kept:
            return
        await self._meta.run(self._meta.commit, kept)
        for row in kept:
            self._offsets[name][row.topic, row.partition] = row

    def committed(self, name: str) -> dict[tuple[str, int], Committed]:
        """The offsets of a group by topic and partition."""
        return self._offsets.get(name, {})

    async def delete(self, name: str) -> Code:
        """Forget an empty group and its offsets. Raises sqlite3.Error."""
        if name not in self._groups and name not in self._offsets:
            return Code.GROUP_ID_NOT_FOUND
        if self.group(name).members:
            return Code.NON_EMPTY_GROUP
        await self._meta.run(self._meta.delete_group, name)
        self._groups.pop(name, None)
        self._offsets.pop(name, None)
        return Code.NONE

    async def delete_offsets(self, name: str, places: Collection[tuple[str, int]]) -> None:
        """Forget single offsets of a group. Raises sqlite3.Error."""
        await self._meta.run(self._meta.delete_offsets, name, places)
        kept = self._offsets.get(name, {})
        for place in places:
            kept.pop(place, None)

    def forget_topic(self, topic: str) -> None:
        """Drop every group's offsets in a topic that was deleted; the disk has forgotten them already."""
        for name, offsets in list(self._offsets.items()):
            kept = {key: row for key, row in offsets.items() if key[0] != topic}
            if kept:
                self._offsets[name] = kept
            else:
                del self._offsets[name]


async def _answered(ask: Callable[[Callable[[A], None]], None]) -> A:
    """Wait for the one call of a callback; a call after the waiting was given up does nothing."""
    future: asyncio.Future[A] = asyncio.get_running_loop().create_future()

    def reply(answer: A) -> None:
        if not future.done():
            future.set_result(answer)

    ask(reply)
    return await future
