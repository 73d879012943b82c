"""What can go wrong with the broker as the rest of the lab sees it."""

from medkg_lab import exit_codes
from medkg_lab.errors import LabError, ServiceError


class BrokerUnreachable(ServiceError):
    """The broker at {bootstrap} did not answer: {detail}. `medkg-lab status` shows whether it runs."""

    exit_code = exit_codes.NOT_READY


class DeliveryFailed(ServiceError):
    """{count} of the events sent to {topics} were not acknowledged by the broker, the first because: {detail}. Send them
    again once `medkg-lab status` shows the broker ready; a broker that ran out of disk space says so in its log."""


class ConsumeFailed(ServiceError):
    """Reading from {topics} failed: {detail}. `medkg-lab broker topics` lists what there is."""


class CommitFailed(ServiceError):
    """The offsets of group {group} were not kept: {detail}. The records since the last commit come again."""


class UnknownTopic(LabError):
    """There is no topic {topic}. `medkg-lab broker topics` lists those that there are."""

    exit_code = exit_codes.USAGE


class TopicNotMade(LabError):
    """Topic {topic} could not be made: {detail}. Make it by hand with the partitions and settings that the lab asks for, or
    give the lab's account the right to."""


class TopicNotChanged(LabError):
    """The retention of topic {topic} could not be set: {detail}. Its records stay as long as before; the lab tries again when it
    is started the next time."""


class TopicOutOfOrder(LabError):
    """Topic {topic} has {found} partitions, but its events must stay in order, which takes exactly {wanted}. Choose another
    topic prefix, or remove the topic when nothing in it is needed."""

    exit_code = exit_codes.NO_RESTART


class UnknownEngine(LabError):
    """There is no broker engine called {name!r}; there are {known}. Check the spelling, or install the package that brings it."""

    exit_code = exit_codes.USAGE


class EngineMismatch(LabError):
    """The events in {folder} were written with the {recorded} broker, and {wanted} is configured, which would not have them.
    Set broker.engine back to {recorded}, carry the topics over with `medkg-lab broker copy --from {recorded} --to {wanted}`, or
    move the folder away to begin with empty topics."""

    exit_code = exit_codes.NO_RESTART


class EngineRecordDamaged(LabError):
    """{path} does not say which broker wrote the data beside it: {detail}. Put {{"engine": "embedded"}} into it, or
    whichever engine it was."""

    exit_code = exit_codes.NO_RESTART


class CopyRefused(LabError):
    """The topics were not copied: {detail}. Nothing was taken from where they are."""

    exit_code = exit_codes.USAGE


class CopyIncomplete(ServiceError):
    """{topic}-{partition} has {found} records after copying, {wanted} were sent. The lab still uses the engine it used; remove
    the topics of the other one and copy again."""


class BadBrokerSetting(LabError):
    """The broker cannot be set up: {detail}. Correct the setting `broker` in settings.yaml."""

    exit_code = exit_codes.NO_RESTART
