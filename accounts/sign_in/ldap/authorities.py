"""The school's authorities as a file, because OpenLDAP's library takes them from nothing else."""

import atexit
import hashlib
import os
import shutil
import ssl
import tempfile
import threading
from functools import lru_cache
from pathlib import Path


def file_of(certificates: str) -> str | None:
    """A file with these authorities in PEM form; without any, the system's. None: the library knows where."""
    if certificates.strip():
        return _written(certificates, os.getpid())
    return ssl.get_default_verify_paths().cafile


def _written(certificates: str, pid: int) -> str:
    """Under a name of its content; again, where somebody swept the folder away."""
    path = Path(_folder(pid), hashlib.sha256(certificates.encode()).hexdigest() + ".pem")
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        draft = path.with_suffix(f".{threading.get_ident()}")
        draft.write_text(certificates, encoding="ascii")
        draft.replace(path)
    return str(path)


@lru_cache(maxsize=1)
def _folder(pid: int) -> str:
    """Of this process: a forked one must not delete the file of its parent."""
    folder = tempfile.mkdtemp(prefix="labportal-authorities-")
    atexit.register(_remove, folder, pid)
    return folder


def _remove(folder: str, pid: int) -> None:
    if os.getpid() == pid:
        shutil.rmtree(folder, ignore_errors=True)
