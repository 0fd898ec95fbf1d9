# SPDX-License-Identifier: MIT
"""The tasks of an eddy program, from gdb: of a process that is stopped, or of a core file.

    (gdb) source eddy-gdb.py
    (gdb) eddy ps         a line a task
    (gdb) eddy pstree     who waits for whom

Calls nothing in the program. Needs the symbol `eddy_debugger_table`, which a program has unless it was stripped; no
debug information, and any optimisation. What only code knows is not shown: the text of a wait is its kind ("sleep",
"lock"), the waits of as_completed() have no edges, and names are those that were set or printed before.
"""
import struct

import gdb

FIELDS = """magic words loops loop_number loop_thread loop_tasks task_node task_root task_state task_flags
task_resume_point task_extra task_ops task_object is_task is_waiting extra_name promise continuation function file line
created_line progress foreign_parent root_progress ops_kind group_members group_count group_stride done_target
task_group_members task_group_link task_group_task lock_owner""".split()
MAGIC = struct.unpack("<Q", b"EDDYGDB1")[0]
MOST_FRAMES = 64
STATES = ["pending", "finished", "failed", "cancelled"]


class Memory:
    def __init__(self):
        self.inferior = gdb.selected_inferior()

    def read(self, address, form):
        size = struct.calcsize(form)
        return struct.unpack(form, bytes(self.inferior.read_memory(address & (2**64 - 1), size)))[0]

    def word(self, address):
        return self.read(address, "<Q")

    def text(self, address, most=300):
        if not address:
            return "?"
        found = b""
        while len(found) < most and b"\0" not in found:
            try:
                found += bytes(self.inferior.read_memory(address + len(found), 16))
            except gdb.MemoryError:
                break
        return found.split(b"\0")[0].decode("utf-8", "replace")

    def string(self, address):
        """A std::string of libstdc++: pointer, size."""
        size = min(self.word(address + 8), 200)
        return bytes(self.inferior.read_memory(self.word(address), size)).decode("utf-8", "replace") if size else ""


def base_name(path):
    return path.rsplit("/", 1)[-1]


class Task:
    def __init__(self, program, address):
        table, memory = program.table, program.memory
        self.id = address
        flags = memory.read(address + table.task_flags, "<B")
        state = memory.read(address + table.task_state, "<B")
        self.resume_point = memory.word(address + table.task_resume_point)
        self.waits = bool(flags & table.is_waiting)
        self.state = STATES[state] if state else ("waiting" if self.waits else "ready" if self.resume_point else "running")
        extra = memory.word(address + table.task_extra)
        self.name = (memory.string(extra + table.extra_name) if extra else "") or f"0x{address:x}"
        self.coroutine, self.made, self.frames = "?", "?", []
        root = memory.word(address + table.task_root)
        if state == 0:
            self.read_frames(program, self.resume_point or root, root)
        self.waits_for, self.awaits = "", []
        if self.waits:
            self.read_wait(program, memory.word(address + table.task_ops), memory.word(address + table.task_object))

    def read_frames(self, program, frame, root):
        table, memory = program.table, program.memory
        promise = root + table.promise
        self.coroutine = memory.text(memory.word(promise + table.function))
        made_in = memory.text(memory.word(promise + table.continuation))
        line = memory.read(promise + table.created_line, "<H")
        if made_in in ("", "?"):
            made_in, line = memory.text(memory.word(promise + table.file)), memory.read(promise + table.line, "<I")
        self.made = f"{base_name(made_in)}:{line}"
        while frame and len(self.frames) < MOST_FRAMES:
            promise = frame + table.promise
            function = memory.text(memory.word(promise + table.function))
            place = base_name(memory.text(memory.word(promise + table.file)))
            self.frames.append(f"{function} {place}:{memory.read(promise + table.line, '<I')}")
            if memory.read(promise + table.progress, "<B") == table.root_progress:
                break
            frame = memory.word(promise + table.continuation)
            if frame & table.foreign_parent:
                break
        self.frames.reverse()

    def read_wait(self, program, ops, what):
        table, memory = program.table, program.memory
        kind = memory.word(ops + table.ops_kind)
        self.waits_for = memory.text(kind) if kind else program.symbol(ops)
        if self.waits_for == "future":
            self.add_edge(program, what)
        elif self.waits_for == "shield":
            self.add_edge(program, memory.word(what + table.done_target))
        elif self.waits_for == "group":
            members = memory.word(what + table.group_members)
            for i in range(memory.word(what + table.group_count)):
                self.add_edge(program, memory.word(members + i * table.group_stride + table.done_target))
        elif self.waits_for == "task group":
            for node in program.list(what + table.task_group_members):
                self.add_edge(program, memory.word(node - table.task_group_link + table.task_group_task))
        elif self.waits_for == "sleep":
            self.waits_for += f" until {what / 1e9:.3f} s of the monotonic clock"
        elif self.waits_for in ("lock", "event", "semaphore", "condition", "queue get", "queue put"):
            owner = memory.word(what + table.lock_owner) if self.waits_for == "lock" else 0
            self.waits_for += f" 0x{what:x}" + (f", held by task 0x{owner:x}" if owner else "")

    def add_edge(self, program, future):
        if not future:
            return
        table, memory = program.table, program.memory
        if memory.read(future + table.task_flags, "<B") & table.is_task and not memory.read(future + table.task_state, "<B"):
            self.awaits.append(future)


class Program:
    def __init__(self):
        self.memory = Memory()
        try:
            address = int(gdb.parse_and_eval("(unsigned long)&eddy_debugger_table"))
        except gdb.error:
            raise gdb.GdbError("eddy: there is no symbol eddy_debugger_table: the program does not use eddy, or was stripped")
        if self.memory.word(address) != MAGIC:
            raise gdb.GdbError("eddy: the program has not made an event loop yet, or its eddy is of another version")
        self.table = type("Table", (), {})()
        for i, name in enumerate(FIELDS):
            setattr(self.table, name, self.memory.word(address + 8 * i))
        if self.table.words < len(FIELDS):
            raise gdb.GdbError("eddy: the program's eddy is older than this script")

    def symbol(self, address):
        found = gdb.execute(f"info symbol 0x{address:x}", to_string=True)
        return found.split(" in section")[0].strip()

    def list(self, head):
        head &= 2**64 - 1
        node, seen = self.memory.word(head), 0
        while node != head and seen < 1_000_000:
            yield node
            node, seen = self.memory.word(node), seen + 1

    def loops(self):
        for node in self.list(self.table.loops):
            tasks = [Task(self, task - self.table.task_node) for task in self.list(node + self.table.loop_tasks)]
            number = self.memory.word(node + self.table.loop_number)
            thread = self.memory.read(node + self.table.loop_thread, "<i")
            yield number, thread, tasks


def head_of(number, thread, tasks):
    where = f"thread {thread}" if thread else "not running"
    return f"loop {number}, {where}: {len(tasks)} task{'' if len(tasks) == 1 else 's'}"


def print_tree(tasks):
    by_id = {task.id: task for task in tasks}
    awaited = {id for task in tasks for id in task.awaits}
    shown = set()
    # A stack of (task, indent, is it the last of its parent): chains of tasks may be longer than Python's own stack.
    roots = [task for task in tasks if task.id not in awaited]
    pending = [(task, "", task is roots[-1]) for task in reversed(roots)]
    while pending:
        task, indent, last = pending.pop()
        again = task.id in shown
        shown.add(task.id)
        note = " (shown above)" if again else "" if task.waits else f", {task.state}"
        print(f"{indent}{'└── ' if last else '├── '}(T) {task.name}{note}")
        if again:
            continue
        indent += "    " if last else "│   "
        for frame in task.frames:
            print(f"{indent}└──  {frame}")
            indent += "    "
        children = [by_id[id] for id in task.awaits if id in by_id]
        if not children and task.waits_for:
            print(f"{indent}└── waits for {task.waits_for}")
        pending += [(child, indent, child is children[-1]) for child in reversed(children)]
    left = [task.name for task in tasks if task.id not in shown]
    if left:
        print("tasks that wait for each other in a circle: " + ", ".join(left))


class Eddy(gdb.Command):
    """Looks at the tasks of an eddy program: eddy ps, eddy pstree."""

    def __init__(self):
        super().__init__("eddy", gdb.COMMAND_STATUS, prefix=True)


class Ps(gdb.Command):
    """A line for each task of the program's event loops."""

    def __init__(self):
        super().__init__("eddy ps", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for number, thread, tasks in Program().loops():
            print(head_of(number, thread, tasks))
            rows = [("ID", "NAME", "STATE", "COROUTINE", "MADE AT", "WAITS FOR")]
            rows += [(f"0x{t.id:x}", t.name, t.state, t.coroutine, t.made, t.waits_for) for t in tasks]
            widths = [max(len(row[i]) for row in rows) for i in range(6)]
            for row in rows if tasks else []:
                print(("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths))).rstrip())


class PsTree(gdb.Command):
    """The tasks of the program's event loops as a tree: who waits for whom, by function and line."""

    def __init__(self):
        super().__init__("eddy pstree", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for number, thread, tasks in Program().loops():
            print(head_of(number, thread, tasks))
            print_tree(tasks)


Eddy()
Ps()
PsTree()
