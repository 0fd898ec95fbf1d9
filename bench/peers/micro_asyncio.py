# SPDX-License-Identifier: MIT
"""The items of micro_limit.cpp on asyncio's own loop and on uvloop's; smaller sizes, the same unit.

    $ micro_asyncio.py asyncio|uvloop ITEM
"""
import asyncio
import concurrent.futures
import random
import sys
import threading
import time

now = time.perf_counter_ns


def report(name, value):
    print(f"{name} {value:.2f}")


def print_since(name, began, operations):
    report(name, (now() - began) / operations)


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


async def yields(name, tasks, count):
    async def yielder():
        for _ in range(count // tasks):
            await asyncio.sleep(0)
    began = now()
    for task in [asyncio.create_task(yielder()) for _ in range(tasks)]:
        await task
    print_since(name, began, count)


async def both_yields():
    await yields("yield_1", 1, 50_000)
    await yields("yield_100", 100, 200_000)


async def number(value):
    return value


async def spawn():
    batch, rounds, total = 1_000, 100, 0
    began = now()
    for _ in range(rounds):
        for task in [asyncio.create_task(number(i)) for i in range(batch)]:
            total += await task
    print_since("spawn_join", began, batch * rounds)
    assert total == rounds * batch * (batch - 1) // 2


async def gather():
    batch, rounds, total = 100, 1_000, 0
    began = now()
    for _ in range(rounds):
        total += sum(await asyncio.gather(*[number(i) for i in range(batch)]))
    print_since("gather_100", began, batch * rounds)
    assert total == rounds * batch * (batch - 1) // 2


async def nested(depth):
    return 1 + await nested(depth - 1) if depth > 1 else 1


async def awaits():
    count = 500_000
    for depth in (1, 10):
        total, began = 0, now()
        for _ in range(count // depth):
            total += await nested(depth)
        print_since(f"await_{depth}", began, count)
        assert total == count


async def timers():
    count, loop = 1_000_000, asyncio.get_running_loop()
    delays = [random.random() * 10 for _ in range(count)]
    for _ in range(2):
        handles = []  # the last round's are freed outside of the time
        began = now()
        handles = [loop.call_later(delay, report, "late", 0) for delay in delays]
        for handle in handles:
            handle.cancel()
        await asyncio.sleep(0)
    print_since("timer_arm_cancel", began, count)


async def sleep_tasks():
    count, cancelled = 100_000, 0
    arming = now()
    tasks = [asyncio.create_task(asyncio.sleep(3600)) for _ in range(count)]
    await asyncio.sleep(0)
    print_since("sleep_task_arm", arming, count)
    cancelling = now()
    for task in tasks:
        task.cancel()
    for task in tasks:
        try:
            await task
        except asyncio.CancelledError:
            cancelled += 1
    print_since("cancel_throw", cancelling, count)
    assert cancelled == count


async def lateness():
    late = []

    async def sleeper(delay):
        due = now() + delay * 1e9
        await asyncio.sleep(delay)
        late.append((now() - due) / 1e3)
    await asyncio.gather(*[sleeper(random.uniform(0.001, 0.05)) for _ in range(10_000)])
    late.sort()
    report("sleep_late_mean_us", sum(late) / len(late))
    report("sleep_late_p99_us", late[len(late) * 99 // 100])


async def queue():
    items, line = 200_000, asyncio.Queue(128)

    async def producer():
        for _ in range(items):
            await line.put(1)

    async def consumer():
        return sum([await line.get() for _ in range(items)])
    began = now()
    _, total = await asyncio.gather(producer(), consumer())
    print_since("queue_item", began, items)
    assert total == items


async def lock():
    mutex, owner, handed_over = asyncio.Lock(), None, 0

    async def locker(own):
        nonlocal owner, handed_over
        for _ in range(20_000):
            async with mutex:
                handed_over += owner != own
                owner = own
                await asyncio.sleep(0)
    began = now()
    await asyncio.gather(locker(0), locker(1))
    print_since("lock_handoff", began, handed_over)


async def post(name, producers):
    count, run, loop, all_posted = 100_000, 0, asyncio.get_running_loop(), asyncio.Event()

    def call():
        nonlocal run
        run += 1
        if run == count:
            all_posted.set()

    def produce():
        for _ in range(count // producers):
            loop.call_soon_threadsafe(call)
    began = now()
    threads = [threading.Thread(target=produce) for _ in range(producers)]
    for thread in threads:
        thread.start()
    await all_posted.wait()
    print_since(name, began, count)
    for thread in threads:
        thread.join()


async def memory():
    count, event = 200_000, asyncio.Event()
    before = resident_bytes()
    tasks = [asyncio.create_task(event.wait()) for _ in range(count)]
    await asyncio.sleep(0)
    report("waiting_task_bytes", (resident_bytes() - before) / count)
    event.set()
    await asyncio.gather(*tasks)


def counting(end):
    yield from range(end)


def delegating(depth, end):
    yield from delegating(depth - 1, end) if depth > 1 else counting(end)


async def generators():
    steps = 500_000
    for name, generator in (("generator_next", (i for i in range(steps))), ("generator_depth_10", delegating(10, steps))):
        total, began = 0, now()
        for n in generator:
            total += n
        print_since(name, began, steps)
        assert total == steps * (steps - 1) // 2


def successor(n):
    return n + 1


async def to_thread():
    jobs, n = 5_000, 0
    began = now()
    for _ in range(jobs):
        n = await asyncio.to_thread(successor, n)
    print_since("to_thread", began, jobs)
    assert n == jobs


async def processes():
    jobs, n, loop = 2_000, 0, asyncio.get_running_loop()
    with concurrent.futures.ProcessPoolExecutor(1) as pool:
        assert await loop.run_in_executor(pool, successor, 0) == 1  # the worker is up
        began = now()
        for _ in range(jobs):
            n = await loop.run_in_executor(pool, successor, n)
        print_since("process_job", began, jobs)
    assert n == jobs


async def nothing():
    pass


ITEMS = {"yield": both_yields, "spawn": spawn, "await": awaits, "gather": gather, "timer": timers, "sleep": sleep_tasks,
         "late": lateness, "queue": queue, "lock": lock, "post": lambda: post("post", 1),
         "many": lambda: post("post_many", 4), "memory": memory, "generator": generators, "thread": to_thread,
         "process": processes, "start": nothing}

if __name__ == "__main__":
    if sys.argv[1] == "uvloop":
        import uvloop
        uvloop.install()
    asyncio.run(ITEMS[sys.argv[2]]())
