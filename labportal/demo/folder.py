"""The demo's folder, which goes with it: also when it was killed, at the next start."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "labportal-demo-"
# Held for as long as the demo lives, however it ends.
LOCK = "alive"


@contextmanager
def temporary() -> Iterator[Path]:
    """A folder of this demo's own. What dead ones left is cleared first."""
    clear_what_dead_ones_left()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    draft = os.open(folder / "draft", os.O_CREAT | os.O_RDONLY, 0o600)
    try:
        fcntl.flock(draft, fcntl.LOCK_EX)
        (folder / "draft").rename(folder / LOCK)  # it appears locked, so that nobody takes a new demo for a dead one
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(draft)


def clear_what_dead_ones_left() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            lock = os.open(folder / LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:  # not there yet, or another user's
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if folder.stat(follow_symlinks=False).st_uid == os.getuid():
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:  # it lives
            continue
        finally:
            os.close(lock)
