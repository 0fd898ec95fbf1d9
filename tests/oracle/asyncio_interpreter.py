#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the oracle's programs on asyncio under a virtual clock: a JSON program a line in, its trace a line out."""
import asyncio
import json
import sys
import warnings

import asyncio_fixed as fixed

MOST_STEPS = 300
MOST_CALLS = 60


class Quiet(Exception):
    """Nothing can ever run again."""


class JumpingSelector:
    """Time passes when the loop waits, all at once."""

    def __init__(self, loop):
        self.loop = loop

    def select(self, timeout):
        if timeout is None:
            raise Quiet
        self.loop.now += timeout
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    def __init__(self):
        super().__init__()
        self.now = 0
        self._selector = JumpingSelector(self)
        self._clock_resolution = 0.5  # times are whole numbers
        fixed.install(self)

    def time(self):
        return self.now

    def call_at(self, when, callback, *args, context=None):
        return fixed.stable_timer(self, when, callback, args, context)

    def _process_events(self, events):
        pass


def describe(error):
    if isinstance(error, asyncio.CancelledError):
        return "CancelledError(%s)" % (error.args[0] if error.args and error.args[0] else "")
    if isinstance(error, BaseExceptionGroup):
        return "Group[%s]" % ", ".join(map(describe, error.exceptions))
    text = str(error)
    # The texts of libraries differ; a program's own begin with a mark.
    return "%s(%s)" % (type(error).__name__, text if text.startswith("!") else "")


def matches(kind, error):
    if kind == "CancelledError":
        return isinstance(error, asyncio.CancelledError)
    if kind == "Group":
        return isinstance(error, BaseExceptionGroup)
    return isinstance(error, {"ValueError": ValueError, "TimeoutError": TimeoutError, "Exception": Exception}[kind])


class Env:
    __slots__ = ("name", "caught", "timeout", "group")

    def __init__(self, name, caught=None, timeout=None, group=None):
        self.name, self.caught, self.timeout, self.group = name, caught, timeout, group

    def inside(self, **changes):
        made = Env(self.name, self.caught, self.timeout, self.group)
        for key, value in changes.items():
            setattr(made, key, value)
        return made


def make_object(spec, loop):
    kind, *args = spec
    if kind == "future":
        return loop.create_future()
    return {"lock": asyncio.Lock, "sem": asyncio.Semaphore, "bsem": asyncio.BoundedSemaphore, "cond": asyncio.Condition,
            "event": asyncio.Event, "queue": asyncio.Queue, "lifo": asyncio.LifoQueue, "prio": asyncio.PriorityQueue,
            "barrier": asyncio.Barrier}[kind](*args)


class Interpreter:
    def __init__(self, program):
        self.program = program
        self.loop = VirtualLoop()
        self.events = []
        self.tracing = True
        self.steps = self.calls = 0
        self.running = []
        self.handles = {}
        self.slots = [None] * len(program["procs"])

    def trace(self, who, what):
        if self.tracing:
            self.events.append("%d %s %s" % (self.loop.now, who, what))

    def run(self):
        loop = self.loop
        loop.set_exception_handler(lambda *ignored: None)
        self.objects = [make_object(spec, loop) for spec in self.program["objs"]]
        self.slots[0] = loop.create_task(self.proc(0))
        try:
            loop.run_forever()
        except Quiet:
            pass
        self.trace("end", "stuck [%s]" % ", ".join(self.running))
        for s, task in enumerate(self.slots):
            self.trace("slot%d" % s, self.state(task))
        for i, made in enumerate(self.objects):
            self.trace("obj%d" % i, self.object_state(made, self.program["objs"][i][0]))
        self.throw_away_stuck_tasks()
        return "; ".join(self.events)

    def throw_away_stuck_tasks(self):
        """Now, not when the collector comes: then another program's loop runs."""
        self.tracing = False
        for task in asyncio.all_tasks(self.loop):
            try:
                task.get_coro().close()
            except BaseException:  # GeneratorExit goes through the library's own clean-up
                pass
        self.loop.close()

    def object_state(self, made, kind):
        if kind == "future":
            return self.state(made)
        if kind == "event":
            return "set" if made.is_set() else "clear"
        if kind in ("queue", "lifo", "prio"):
            return "%d items" % made.qsize()
        if kind == "barrier":
            return "%d waiting%s" % (made.n_waiting, ", broken" if made.broken else "")
        return "locked" if made.locked() else "free"

    @staticmethod
    def state(future):
        if future is None:
            return "unset"
        if not future.done():
            return "pending"
        if future.cancelled():
            return "cancelled"
        error = future.exception()
        return "failed " + describe(error) if error is not None else "value " + future.result()

    # --- coroutines ---

    async def proc(self, k):
        self.calls += 1
        name = "p%d.%d" % (k, self.calls)
        if self.calls > MOST_CALLS:
            raise ValueError("!calls")
        self.running.append(name)
        self.trace(name, "begins")
        try:
            value = await self.block(Env(name), self.program["procs"][k])
        except (Exception, asyncio.CancelledError) as error:
            self.running.remove(name)
            self.trace(name, "throws " + describe(error))
            raise
        self.running.remove(name)
        self.trace(name, "returns " + (value or ""))
        return value or ""

    async def block(self, env, body):
        for statement in body:
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise ValueError("!steps")
            run = getattr(self, "do_" + statement[0], None)
            if run is None:
                self.trace(env.name, "%s %s" % (statement[0], self.sync(env, statement)))
                continue
            value = await run(env, *statement[1:])
            if value is not None:
                return value
        return None

    def operand(self, a):
        if a[0] == "task" and self.slots[a[1]] is not None:
            return self.slots[a[1]]
        if a[0] == "fut":
            return self.objects[a[1]]
        return self.eval(a)

    async def eval(self, a):
        op, *args = a
        if op == "sleep":
            await asyncio.sleep(args[0])
            return ""
        if op == "proc":
            return await self.proc(args[0])
        if op == "task":
            task = self.slots[args[0]]
            return "unset" if task is None else await task
        if op == "shield":
            return await asyncio.shield(self.operand(args[0]))
        if op == "wait_for":
            return await asyncio.wait_for(self.operand(args[1]), args[0])
        if op == "gather":
            results = await asyncio.gather(*map(self.operand, args[1]), return_exceptions=args[0])
            return "[%s]" % ", ".join(r if isinstance(r, str) else describe(r) for r in results)
        made = self.objects[args[0]]
        if op == "fut":
            return await made
        if op == "put":
            await made.put(args[1])
            return ""
        method = {"acquire": "acquire", "get": "get", "join": "join", "event": "wait", "barrier": "wait", "breset": "reset",
                  "babort": "abort", "cwait": "wait"}[op]
        value = await getattr(made, method)()
        return str(value) if op in ("get", "barrier") else ""

    # --- statements that may wait: they give a value to return, or None ---

    async def do_await(self, env, a):
        value = await self.eval(a)
        self.trace(env.name, "await %s -> %s" % (a[0], value))

    async def do_return(self, env, value):
        return value

    async def do_loop(self, env, times, body):
        for _ in range(times):
            value = await self.block(env, body)
            if value is not None:
                return value

    async def do_with(self, env, i, body):
        async with self.objects[i]:
            self.trace(env.name, "holds %d" % i)
            return await self.block(env, body)

    async def do_timeout(self, env, delay, body):
        async with asyncio.timeout(delay) as scope:
            return await self.block(env.inside(timeout=scope), body)

    async def do_group(self, env, body):
        async with fixed.task_group() as group:
            value = await self.block(env.inside(group=group), body)
        self.trace(env.name, "group ends")
        return value

    async def do_try(self, env, body, handlers, final):
        value = error = None
        try:
            value = await self.block(env, body)
        except (Exception, asyncio.CancelledError) as thrown:
            error = thrown
        for kind, handler in handlers if error is not None else []:
            if not matches(kind, error):
                continue
            self.trace(env.name, "catches " + describe(error))
            caught, error = error, None
            try:
                value = await self.block(env.inside(caught=caught), handler)
            except (Exception, asyncio.CancelledError) as thrown:
                error = thrown
            break
        if final:
            last = await self.block(env, final)
            if last is not None:
                return last
        if error is not None:
            raise error
        return value

    async def do_wait(self, env, mode, timeout, slots):
        slots = [s for s in slots if self.slots[s] is not None]
        tasks = [self.slots[s] for s in slots]
        done, pending = await asyncio.wait(tasks, timeout=timeout, return_when=getattr(asyncio, mode))
        show = [str(s) + ("+" if t in done else "-") for s, t in zip(slots, tasks)]
        self.trace(env.name, "wait [%s]" % ", ".join(show))

    async def do_as_completed(self, env, timeout, slots):
        slots = [s for s in slots if self.slots[s] is not None]
        tasks = [self.slots[s] for s in slots]
        with fixed.AsCompleted(self.loop, tasks, timeout) as completed:
            async for task in completed:
                self.trace(env.name, "completed %d %s" % (slots[tasks.index(task)], self.state(task)))

    # --- statements that do not wait: they give a text ---

    def sync(self, env, statement):
        op, *args = statement
        return getattr(self, "now_" + op)(env, *args) or ""

    def start(self, s, a, create):
        coroutine = self.eval(a)
        self.slots[s] = create(coroutine)
        return str(s)

    def now_spawn(self, env, s, a):
        return self.start(s, a, asyncio.create_task)

    def now_gspawn(self, env, s, a):
        return self.start(s, a, env.group.create_task)

    def task(self, s):
        return asyncio.current_task() if s == -1 else self.slots[s]

    def now_cancel(self, env, s, message):
        task = self.task(s)
        return "unset" if task is None else "%d %s" % (s, task.cancel(message) if message else task.cancel())

    def now_uncancel(self, env, s):
        return str(self.task(s).uncancel())

    def now_cancelling(self, env, s):
        return str(self.task(s).cancelling())

    def now_inspect(self, env, s):
        task = self.slots[s]
        return "%d %s" % (s, self.state(task)) + (" %d" % task.cancelling() if task else "")

    def now_fset(self, env, i, value):
        self.objects[i].set_result(value)

    def now_ferr(self, env, i, text):
        self.objects[i].set_exception(ValueError(text))

    def now_fcancel(self, env, i, message):
        return str(self.objects[i].cancel(message))

    def now_finspect(self, env, i):
        return self.state(self.objects[i])

    def now_release(self, env, i):
        self.objects[i].release()

    def now_notify(self, env, i, n):
        if n:
            self.objects[i].notify(n)
        else:
            self.objects[i].notify_all()

    def now_set(self, env, i):
        self.objects[i].set()

    def now_clear(self, env, i):
        self.objects[i].clear()

    def now_put_nowait(self, env, i, value):
        self.objects[i].put_nowait(value)

    def now_get_nowait(self, env, i):
        return self.objects[i].get_nowait()

    def now_task_done(self, env, i):
        self.objects[i].task_done()

    def now_shutdown(self, env, i, immediate):
        self.objects[i].shutdown(immediate)

    def now_raise(self, env, text):
        raise ValueError(text)

    def now_reraise(self, env):
        raise env.caught

    def now_reschedule(self, env, delay):
        env.timeout.reschedule(None if delay is None else self.loop.time() + delay)

    def now_expired(self, env):
        return str(env.timeout.expired())

    def now_on_done(self, env, s, label):
        if self.slots[s] is None:
            return "unset"
        self.slots[s].add_done_callback(lambda task: self.trace(label, "done " + self.state(task)))

    def now_fon_done(self, env, i, label):
        self.objects[i].add_done_callback(lambda future: self.trace(label, "done " + self.state(future)))

    def callback(self, label, statement):
        try:
            self.trace(label, "%s %s" % (statement[0], self.sync(None, statement)))
        except Exception as error:
            self.trace(label, "throws " + describe(error))

    def now_soon(self, env, label, statement):
        self.handles[label] = self.loop.call_soon(self.callback, label, statement)

    def now_later(self, env, delay, label, statement):
        self.handles[label] = self.loop.call_later(delay, self.callback, label, statement)

    def now_drop(self, env, label):
        if label in self.handles:
            self.handles[label].cancel()


def main():
    sys.unraisablehook = lambda unraisable: None  # what is stuck is thrown away
    warnings.simplefilter("ignore")  # coroutines that were never awaited
    for line in sys.stdin:
        print(Interpreter(json.loads(line)).run(), flush=True)


if __name__ == "__main__":
    main()
