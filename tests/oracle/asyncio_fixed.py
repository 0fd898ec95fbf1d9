# SPDX-License-Identifier: MIT
"""What older CPythons do otherwise than 3.13, as 3.13 does it; and an order where CPython has none.

The oracle is Debian's CPython 3.11. Each piece below says which issue it is about; on 3.13 only those of the first two
parts are in use.
"""
import asyncio
import collections
import sys
from asyncio import exceptions, tasks

OLD = sys.version_info < (3, 13)


# --- order, on every version ----------------------------------------------------------------------------

class StableTimer(asyncio.TimerHandle):
    """Timers of one deadline: in order of arrival. asyncio's heap promises nothing there."""

    __slots__ = ("order",)

    def __lt__(self, other):
        return (self._when, self.order) < (other._when, other.order)


def stable_timer(loop, when, callback, args, context):
    import heapq
    timer = StableTimer(when, callback, args, loop, context)
    loop.timers_made = timer.order = getattr(loop, "timers_made", 0) + 1
    heapq.heappush(loop._scheduled, timer)
    timer._scheduled = True
    return timer


class OrderedSet(dict):
    """A TaskGroup keeps its tasks in a set, and cancels them in the order of their addresses."""

    def add(self, item):
        self[item] = None

    def discard(self, item):
        self.pop(item, None)


class AsCompleted:
    """asyncio.as_completed of 3.13 as an asynchronous iterator; tasks that are done come in the order given.

    As a context its timer ends with it, as eddy's does. asyncio's goes on without effect.
    """

    def __init__(self, loop, futures, timeout):
        self.ended = asyncio.Queue()
        self.left = len(futures)
        self.timer = None
        self.todo = OrderedSet.fromkeys(futures)
        for future in futures:
            future.add_done_callback(self.one_ended)
        if futures and timeout is not None:
            self.timer = loop.call_later(timeout, self.time_is_up)

    def time_is_up(self):
        for future in self.todo:
            future.remove_done_callback(self.one_ended)
            self.ended.put_nowait(None)
        self.todo.clear()

    def one_ended(self, future):
        if not self.todo:
            return
        self.todo.discard(future)
        self.ended.put_nowait(future)
        if not self.todo and self.timer is not None:
            self.timer.cancel()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.timer is not None:
            self.timer.cancel()

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self.left == 0:
            raise StopAsyncIteration
        self.left -= 1
        future = await self.ended.get()
        if future is None:
            raise TimeoutError
        return future


# --- a message that is not lost, on every version ---------------------------------------------------------

class Task(tasks._PyTask):
    """A task that was cancelled with a message gives it to everybody who awaits it; asyncio only to the first.

    gh-117407: the uncancel() that takes back the last request forgets one that was not delivered yet.
    """

    def _make_cancelled_error(self):
        error = self._cancelled_exc
        return exceptions.CancelledError(*(error.args if error else [m for m in [self._cancel_message] if m]))

    def uncancel(self):
        left = super().uncancel()
        if left == 0:
            self._must_cancel = False
        return left


class GatheringFuture(tasks._GatheringFuture):
    """Its own message, not the one of its last child, if that was cancelled at all."""

    message = None

    def cancel(self, msg=None):
        accepted = super().cancel(msg)
        if accepted:
            self.message = msg
        return accepted


def shield(awaitable):
    """The message of an inner future that was cancelled comes out of the shield."""
    inner = asyncio.ensure_future(awaitable)
    if inner.done():
        return inner
    outer = asyncio.get_running_loop().create_future()

    def inner_ended(inner):
        if outer.cancelled():
            if not inner.cancelled():
                inner.exception()
        elif inner.cancelled():
            outer.cancel(*inner._make_cancelled_error().args)
        elif inner.exception() is not None:
            outer.set_exception(inner.exception())
        else:
            outer.set_result(inner.result())

    def outer_ended(outer):
        if not inner.done():
            inner.remove_done_callback(inner_ended)

    inner.add_done_callback(inner_ended)
    outer.add_done_callback(outer_ended)
    return outer


def task_group():
    group = TaskGroup() if OLD else asyncio.TaskGroup()
    group._tasks = OrderedSet()
    return group


# --- 3.13's meaning, on 3.11 ----------------------------------------------------------------------------

class TaskGroup(asyncio.TaskGroup):
    """gh-94398: a group that shuts down takes no tasks. gh-116720, gh-117407: a cancellation from outside is kept
    beside the one that the group itself sent, and comes back at the next await if errors win over it."""

    def create_task(self, coroutine):
        if not (self._exiting and not self._tasks) and not self._aborting:
            return super().create_task(coroutine)
        coroutine.close()
        raise RuntimeError("the group is over")

    async def __aexit__(self, kind, error, traceback):
        self._exiting = True
        cancellation = error if isinstance(error, exceptions.CancelledError) else None
        if error is not None and not self._aborting:
            self._abort()
        while self._tasks:
            if self._on_completed_fut is None:
                self._on_completed_fut = self._loop.create_future()
            try:
                await self._on_completed_fut
            except exceptions.CancelledError as cancelled:
                if not self._aborting:
                    cancellation = cancelled
                    self._abort()
            self._on_completed_fut = None
        if self._parent_cancel_requested and self._parent_task.uncancel() == 0:
            cancellation = None
        if cancellation is not None and not self._errors:
            raise cancellation
        if error is not None and not isinstance(error, exceptions.CancelledError):
            self._errors.append(error)
        if self._errors:
            if self._parent_task.cancelling():
                self._parent_task.uncancel()
                self._parent_task.cancel()
            raise BaseExceptionGroup("unhandled errors in a TaskGroup", self._errors)


async def condition_wait(self):
    """gh-112202: who was notified and is cancelled wakes another one; gh-112105: and rethrows the newest error."""
    if not self.locked():
        raise RuntimeError("cannot wait on un-acquired lock")
    waiter = self._get_loop().create_future()
    self.release()
    try:
        try:
            self._waiters.append(waiter)
            try:
                await waiter
                return True
            finally:
                self._waiters.remove(waiter)
        finally:
            newest = None
            while True:
                try:
                    await self.acquire()
                    break
                except exceptions.CancelledError as error:
                    newest = error
            if newest is not None:
                raise newest
    except BaseException:
        for other in self._waiters:
            if not other.done():
                other.set_result(False)
                break
        raise


def semaphore_wake_next(self):
    for waiter in self._waiters or ():
        if not waiter.done():
            self._value -= 1
            waiter.set_result(True)
            return True
    return False


async def semaphore_acquire(self):
    """gh-90155, gh-111693: who was woken and is cancelled gives the slot back, and all free slots are handed on."""
    if not self.locked():
        self._value -= 1
        return True
    if self._waiters is None:
        self._waiters = collections.deque()
    waiter = self._get_loop().create_future()
    self._waiters.append(waiter)
    try:
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)
    except exceptions.CancelledError:
        if waiter.done() and not waiter.cancelled():
            self._value += 1
        raise
    finally:
        while self._value > 0 and self._wake_up_next():
            pass
    return True


async def wait_for(awaitable, timeout):
    """gh-86296, gh-96764: awaits in the calling task, under a timeout(), and so loses no cancellation."""
    if timeout is None or timeout > 0:
        async with asyncio.timeout(timeout):
            return await awaitable
    future = asyncio.ensure_future(awaitable)
    if future.done():
        return future.result()
    await tasks._cancel_and_wait(future, loop=asyncio.get_running_loop())
    try:
        return future.result()
    except exceptions.CancelledError as error:
        raise TimeoutError from error


class ShutDownQueue:
    """gh-96471: shutdown(). Put before asyncio's queue classes, it is what 3.13 added to them."""

    is_shut_down = False

    async def put(self, item):
        while self.full() and not self.is_shut_down:
            await self.wait_in(self._putters, lambda: not self.full())
        self.put_nowait(item)

    async def get(self):
        while self.empty() and not self.is_shut_down:
            await self.wait_in(self._getters, lambda: not self.empty())
        return self.get_nowait()

    async def wait_in(self, line, is_next):
        waiter = asyncio.get_running_loop().create_future()
        line.append(waiter)
        try:
            await waiter
        except BaseException:
            waiter.cancel()
            if waiter in line:
                line.remove(waiter)
            if is_next() and not waiter.cancelled():
                self._wakeup_next(line)
            raise

    def put_nowait(self, item):
        if self.is_shut_down:
            raise QueueShutDown
        super().put_nowait(item)

    def get_nowait(self):
        if self.is_shut_down and self.empty():
            raise QueueShutDown
        return super().get_nowait()

    def shutdown(self, immediate=False):
        self.is_shut_down = True
        while immediate and not self.empty():
            self._get()
            if self._unfinished_tasks > 0:
                self._unfinished_tasks -= 1
        if immediate and self._unfinished_tasks == 0:
            self._finished.set()
        for line in (self._getters, self._putters):
            while line:
                self._wakeup_next(line)


class QueueShutDown(Exception):
    pass


async def timeout_enter(self, enter=asyncio.Timeout.__aenter__):
    self.cancelling_before = asyncio.current_task().cancelling()
    return await enter(self)


async def timeout_exit(self, kind, error, traceback):
    """gh-95289: requests to cancel from before the scope are not the scope's own."""
    states = asyncio.timeouts._State
    if self._timeout_handler is not None:
        self._timeout_handler.cancel()
        self._timeout_handler = None
    if self._state is not states.EXPIRING:
        self._state = states.EXITED
        return
    self._state = states.EXPIRED
    if self._task.uncancel() <= self.cancelling_before and isinstance(error, exceptions.CancelledError):
        raise TimeoutError from error


def gather(*awaitables, return_exceptions=False):
    """gh-97696: what is done already counts at once, and a gather of such things does not wait."""
    loop = asyncio.get_running_loop()
    made = {a: a if asyncio.isfuture(a) else None for a in awaitables}
    for a in made:
        made[a] = made[a] or asyncio.ensure_future(a)
    children = [made[a] for a in awaitables]
    over = [f for f in made.values() if f.done()]
    left = len(made)
    outer = None

    def ended(future):
        nonlocal left
        left -= 1
        if outer.done():
            if not future.cancelled():
                future.exception()
            return
        if not return_exceptions:
            if future.cancelled():
                return outer.set_exception(future._make_cancelled_error())
            if future.exception() is not None:
                return outer.set_exception(future.exception())
        if left > 0:
            return
        results = [f._make_cancelled_error() if f.cancelled() else f.exception() or f.result() for f in children]
        if outer._cancel_requested:
            outer.set_exception(exceptions.CancelledError(*([outer.message] if outer.message else [])))
        else:
            outer.set_result(results)

    outer = GatheringFuture(children, loop=loop)
    for future in made.values():
        if not future.done():
            future.add_done_callback(ended)
    for future in over:
        ended(future)
    return outer


def install(loop):
    loop.set_task_factory(lambda of, coroutine, **options: Task(coroutine, loop=of, **options))
    asyncio.gather = gather
    asyncio.shield = shield
    if not OLD:
        return
    asyncio.Condition.wait = condition_wait
    asyncio.Semaphore.acquire = semaphore_acquire
    asyncio.Semaphore._wake_up_next = semaphore_wake_next
    asyncio.Timeout.__aenter__ = timeout_enter
    asyncio.Timeout.__aexit__ = timeout_exit
    asyncio.wait_for = wait_for
    if ShutDownQueue not in asyncio.Queue.__mro__:
        for name in ("Queue", "LifoQueue", "PriorityQueue"):
            setattr(asyncio, name, type(name, (ShutDownQueue, getattr(asyncio, name)), {}))
