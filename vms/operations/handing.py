"""Hand work to the engine. It carries ids alone, and may lose them: the sweep hands over again."""

from vms.models import Operation


def operation(one: Operation) -> None:
    from vms import jobs  # noqa: PLC0415 - they know each other

    jobs.operate.enqueue(str(one.pk))


def following(cluster_id: str) -> None:
    from vms import jobs  # noqa: PLC0415 - they know each other

    jobs.follow.enqueue(cluster_id)


def preparation(pk: int) -> None:
    from vms import jobs  # noqa: PLC0415 - they know each other

    jobs.prepare.enqueue(pk)
