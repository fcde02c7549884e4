"""A sidecar with bugs: calls whose target says `crash` fail inside, with exceptions that quote the whole request."""

import asyncio
import sys

from sidecar.calls.model import Call, Result
from sidecar.calls.pipeline import Pipeline
from sidecar.cli import main

sound = Pipeline.run


async def crash(words: str) -> None:
    raise RuntimeError(words)


async def run(pipeline: Pipeline, call: Call) -> Result:
    if "crash" in call.request.target:
        request = call.request
        words = f"{request.method} https://broker{request.target} {dict(request.headers)} {request.body!r}"
        # Nobody looks at this task: the event loop tells of it when it is collected.
        asyncio.get_running_loop().create_task(crash(words))
        await crash(words)
    return await sound(pipeline, call)


if __name__ == "__main__":
    setattr(Pipeline, "run", run)  # noqa: B010 - a method may not be assigned to in any other way
    sys.exit(main())
