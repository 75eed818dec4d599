"""The threads that blocking calls of uploads run in, apart from those of short questions."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

_THREADS = 16


class ReceivingThreads(ThreadPoolExecutor):
    """Runs calls for the event loop."""

    def __init__(self) -> None:
        super().__init__(_THREADS, thread_name_prefix="intake")

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        """Calls the function and returns its value; it goes on when nobody waits for it any more."""
        return await asyncio.get_running_loop().run_in_executor(self, function, *arguments)
