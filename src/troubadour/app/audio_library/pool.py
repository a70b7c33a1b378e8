"""Pool of worker processes for audio analysis, with a time limit per file and restart after crashes."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

SECONDS: Final = 120.0
"""Time limit per file; ten hours of MP3 take a few seconds to open and measure."""

Task = TypeVar("Task")
Request = Callable[[Task], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Workers:
    """Number of worker processes and their limits."""

    count: int = 1
    """1 to the number of cores; each takes about 150 MB."""
    seconds: float = SECONDS
    command: tuple[str, ...] = (sys.executable, "-m", "troubadour.app.audio_library.worker")
    encoder: Path | None = None
    """Folder of the home's own audio encoder; see `encoders.encoder_folder`."""

    def run(self, tasks: Iterable[Task], request: Request[Task]) -> Iterator[tuple[Task, dict[str, Any]]]:
        """Run tasks and yield each with its answer, in order of completion.

        A worker that crashes or exceeds the time limit yields an answer with a `cause`; the others continue.
        Closing the iterator ends the workers.

        Args:
            tasks: the tasks.
            request: function that maps a task to the worker's request; called in a thread, so that reading one
                score overlaps with measuring another.
        """
        waiting: queue.Queue[Task | None] = queue.Queue(maxsize=2 * self.count)
        done: queue.Queue[tuple[Task, dict[str, Any]] | BaseException | None] = queue.Queue()
        stop = threading.Event()

        def serve() -> None:
            worker = _Worker(self)
            try:
                while (task := waiting.get()) is not None:
                    if not stop.is_set():
                        done.put((task, worker.ask(request(task))))
            except BaseException as error:  # raised again in the calling thread below
                done.put(error)
            finally:
                worker.end()
                done.put(None)

        def feed() -> None:
            try:
                for task in tasks:
                    if stop.is_set():
                        break
                    waiting.put(task)
            except BaseException as error:
                done.put(error)
            finally:
                for _ in range(self.count):
                    waiting.put(None)

        threads = [threading.Thread(target=serve, daemon=True) for _ in range(self.count)]
        threads.append(threading.Thread(target=feed, daemon=True))
        for thread in threads:
            thread.start()
        running = self.count
        try:
            while running:
                found = done.get()
                if found is None:
                    running -= 1
                elif isinstance(found, BaseException):
                    raise found
                else:
                    yield found
        finally:
            stop.set()


class _Worker:
    """One worker process, started at the first request."""

    def __init__(self, options: Workers) -> None:
        self._options = options
        self._process: subprocess.Popen[str] | None = None

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._process is None:
            self._process = subprocess.Popen(
                self._options.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        process = self._process
        if self._options.encoder is not None:
            request = {**request, "encoder": str(self._options.encoder)}
        late = threading.Timer(self._options.seconds, process.kill)
        late.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            timely = late.is_alive()
            late.cancel()
        if line.endswith("\n"):
            found: dict[str, Any] = json.loads(line)
            return found
        self.end()
        if not timely:
            return {"cause": f"took over {self._options.seconds:g} s and was stopped"}
        return {"cause": f"its decoder crashed (exit {process.returncode})"}

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None
