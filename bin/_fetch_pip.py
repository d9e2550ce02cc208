"""Fetch the pinned installer for a Python that has none, as Debian's own: _fetch_pip.py WHEEL SHA256 FOLDER

Looks where pip would look: PIP_INDEX_URL and PIP_CERT, else pip's configuration files, else pypi.org. Whoever
serves it, a file with another checksum is not used.
"""

import configparser
import hashlib
import html
import http.client
import os
import re
import ssl
import sys
from pathlib import Path
from urllib.parse import urljoin, urlsplit
from urllib.request import urlopen

SECONDS = 30
BROKEN = (OSError, ValueError, LookupError, configparser.Error, http.client.HTTPException)


def configured(name: str) -> str | None:
    """What the environment or pip's configuration says; of its files, the last wins."""
    files = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), Path("~/.pip/pip.conf").expanduser()]
    files.append(Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser() / "pip/pip.conf")
    files.append(Path(os.environ.get("PIP_CONFIG_FILE", os.devnull)))
    parser = configparser.RawConfigParser()
    parser.read(files, encoding="utf-8")
    sections = [parser[section] for section in ("install", "global") if parser.has_section(section)]
    values = [section[name] for section in sections if section.get(name)]
    return os.environ.get(f"PIP_{name.upper().replace('-', '_')}") or next(iter(values), None)


def read(url: str) -> tuple[str, bytes]:
    """The address that answered, and its answer."""
    context = ssl.create_default_context(cafile=configured("cert"))  # None: the system's, or SSL_CERT_FILE
    with urlopen(url, timeout=SECONDS, context=context) as answer:  # noqa: S310 - the administrator's address
        return answer.url, answer.read()


def fetch(wheel: str, checksum: str, *, index: str) -> bytes:
    if "@" in urlsplit(index).netloc:
        raise ValueError("its address has a password in it, which takes a pip that is there already")
    project = wheel.split("-", 1)[0]
    page_url, page = read(urljoin(index.rstrip("/") + "/", f"{project}/"))
    links = re.findall(r"""href\s*=\s*["']([^"'#]+)""", page.decode(errors="replace"))
    link = next((link for link in links if link.rsplit("/", 1)[-1] == wheel), None)
    if link is None:
        raise LookupError(f"it does not offer {wheel}")
    content = read(urljoin(page_url, html.unescape(link)))[1]
    if hashlib.sha256(content).hexdigest() != checksum:
        raise ValueError(f"its {wheel} is not the one that Lab Portal was tested with: the checksum differs")
    return content


def main(wheel: str, checksum: str, folder: str) -> None:
    host = "the package index"
    try:
        index = configured("index-url") or "https://pypi.org/simple"
        host = urlsplit(index).hostname or host
        Path(folder, wheel).write_bytes(fetch(wheel, checksum, index=index))
    except BROKEN as error:
        reason = str(getattr(error, "reason", None) or error)
        own_authority = "; SSL_CERT_FILE names a network's own authority" if "CERTIFICATE_VERIFY" in reason else ""
        sys.exit(f"Could not fetch pip from {host}: {reason}{own_authority}.")


if __name__ == "__main__":
    main(*sys.argv[1:])
