"""Very many requests at once, and clients that hang up: answers, memory, and an empty queue afterwards."""

import asyncio
import resource
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import psutil
import pytest

from tests.servers.http_stage import TOKEN, Stage, a_stage, served
from tests.waiting import await_condition

AT_ONCE = 2_000
GONE = 200
ROOM = 64
TIMEOUT_S = 60.0
GROWTH_BYTES = 30 * 2**20
BODY = b'{"text": "request %d"}'


class Door(NamedTuple):
    stage: Stage
    port: int


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 3 * AT_ONCE)), hard))
    folder = tmp_path_factory.mktemp("policies")
    with (
        a_stage(folder, http__max_batch=ROOM, http__queue_events=ROOM) as stage,
        served(stage) as port,
    ):
        yield Door(stage, port)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def request(number: int) -> bytes:
    body = BODY % number
    head = f"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


async def ask(port: int, number: int, opened: asyncio.Barrier) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await opened.wait()
    writer.write(request(number))
    status = int((await reader.readline()).split()[1])
    writer.close()
    return status


async def ask_at_once(port: int, first: int, count: int) -> Counter[int]:
    opened = asyncio.Barrier(count)
    return Counter(await asyncio.gather(*(ask(port, first + number, opened) for number in range(count))))


def test_two_thousand_requests_at_once_are_answered_or_asked_to_come_again(door: Door) -> None:
    memory: list[int] = []

    for first, count in ((0, AT_ONCE), (AT_ONCE, AT_ONCE // 4)):
        statuses = asyncio.run(ask_at_once(door.port, first, count))

        assert statuses.total() == count
        assert statuses.keys() <= {200, 429}
        assert statuses[200] >= ROOM
        await_condition(lambda: door.stage.count("moderator_http_queue_events") == 0, TIMEOUT_S)
        await_condition(lambda: door.stage.intake._accepted == 0, TIMEOUT_S)
        memory.append(psutil.Process().memory_info().rss)

    assert memory[1] - memory[0] < GROWTH_BYTES


def test_two_hundred_clients_that_hang_up_leave_an_empty_queue(door: Door) -> None:
    async def hang_up() -> None:
        writers = [(await asyncio.open_connection("127.0.0.1", door.port))[1] for _ in range(GONE)]
        for number, writer in enumerate(writers):
            writer.write(request(-number))
        await asyncio.to_thread(await_condition, lambda: door.stage.count("moderator_http_queue_events") == ROOM)
        for writer in writers:
            writer.transport.abort()

    with door.stage.busy():
        asyncio.run(asyncio.wait_for(hang_up(), TIMEOUT_S))
        await_condition(lambda: door.stage.count("moderator_http_queue_events") == 0, TIMEOUT_S)
        await_condition(lambda: door.stage.intake._accepted == 0, TIMEOUT_S)

    assert door.stage.client.post("/v1/decisions", json={"text": "afterwards"}).status_code == 200
