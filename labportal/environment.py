"""Reads variables of the environment and of `.env`. An error names the variable and never repeats a secret."""

import re
from collections.abc import Callable
from email.headerregistry import Address
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured

ASSIGNMENT = re.compile(r"(?:export )?[A-Za-z_0-9]+=")
QUOTED_WITH_COMMENT = re.compile(r"""((?:export )?[A-Za-z_0-9]+=(["'])(?:\\.|(?!\2).)*\2)\s+#.*""")
COMMENT = re.compile(r"(^|\s+)#.*", re.DOTALL)
ENCODE = "write / as %2F, ? as %3F, @ as %40, [ as %5B, ] as %5D and % as %25 in user and password"
ADDRESS = r"""([^\s@<>,;:"]+@[^\s@<>,;:"]+)"""
RECIPIENT = re.compile(rf"""{ADDRESS}|(?:"((?:\\.|[^"\\])*)"\s*|([^<>"]*))<{ADDRESS}>""")
POSTGRES = ("postgres", "postgresql", "psql", "pgsql")

_variables = environ.FileAwareEnv.ENVIRON  # its methods would take `$NAME` for the value of NAME

# Variables with ` #` in their value: where a comment was cut off, and where it belongs to the value.
cut: set[str] = set()
kept: set[str] = set()


def read(path: Path) -> None:
    """Take from the file what the environment does not say."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{path} is not text in UTF-8.") from None
    except OSError as error:
        raise ImproperlyConfigured(f"{path} cannot be read ({error.strerror}).") from None
    for number, line in enumerate(lines, start=1):
        if line.strip() and not line.lstrip().startswith("#") and not ASSIGNMENT.match(line.lstrip()):
            raise ImproperlyConfigured(f"{path}, line {number}: write NAME=value, without spaces around “=”.")
    environ.Env.read_env(_Lines("\n".join(QUOTED_WITH_COMMENT.sub(r"\1", line.strip()) for line in lines)))


class _Lines:
    """Stands in for the open file that `read_env` expects."""

    def __init__(self, content: str) -> None:
        self.read = lambda: content


def secret(name: str, default: str | None = None) -> str:
    """A variable, or the file that NAME_FILE names, as it is written but for surrounding blanks; empty means unset."""
    try:
        value = str(_variables.get(name, "")).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(
            f"The file that {name}_FILE names cannot be read ({type(error).__name__})."
        ) from None
    if COMMENT.search(value):
        kept.add(name)
    if value or default is not None:
        return value or str(default)
    raise ImproperlyConfigured(f"Set {name} or {name}_FILE. bin/demo, bin/serve and bin/test make keys by themselves.")


def text(name: str, default: str | None = None) -> str:
    """Reads a value that is no secret: a comment behind the value does not belong to it."""
    written = secret(name, default)
    if name not in kept:
        return written
    kept.discard(name)
    cut.add(name)
    return COMMENT.sub("", written) or str(default or "")


def words(name: str, default: str) -> list[str]:
    """A list separated by commas, semicolons or blanks."""
    return re.sub(r"[,;\s]+", " ", text(name, default)).split()


def truth(name: str, *, default: bool) -> bool:
    """A yes or a no; anything else is an error, because a typo must not switch verification off."""
    value = text(name, "on" if default else "off").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be on or off, not {value!r}.")


def number(name: str, default: int, *, least: int, most: int) -> int:
    value = text(name, str(default))
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise ImproperlyConfigured(f"{name} must be a number from {least} to {most}, not {value!r}.")
    return int(value)


def limits(name: str, default: str, *, of: tuple[str, ...]) -> dict[str, int]:
    """Numbers from 1 to 100, one for each of these, in this order; a single one is for all of them."""
    written = words(name, default)
    values = written * len(of) if len(written) == 1 else written
    if len(values) != len(of) or not all(re.fullmatch(r"[1-9][0-9]?|100", value) for value in values):
        raise ImproperlyConfigured(f"{name} must be {len(of)} numbers from 1 to 100, like {default}: {', '.join(of)}.")
    return {place: int(value) for place, value in zip(of, values, strict=True)}


def web_address(name: str, *, loopback_only: bool = False) -> str:
    """An https:// address, or an http:// one. The value may hold a secret, so no message repeats it."""
    value = text(name, "")
    near = r"127\.0\.0\.1|localhost|\[::1\]"
    http_to = near if loopback_only else r"[a-zA-Z0-9.-]+|\[[0-9a-f:]+\]"
    where = rf"(https://([a-zA-Z0-9.-]+|\[[0-9a-f:]+\])|http://({http_to}))"
    if value and not re.fullmatch(rf"{where}(:[0-9]{{1,5}})?([/?][!-~]*)?", value):
        plain = "http:// only to this machine" if loopback_only else "or http://"
        raise ImproperlyConfigured(f"{name} must be an address that begins with https:// ({plain}).")
    return value


# Servers


def database(name: str, default: str) -> dict[str, Any]:
    """SQLite or PostgreSQL, as Django wants it."""
    value = text(name, "") or ("" if name in _variables else default)
    parts = _server(name, value, {"sqlite", *POSTGRES}, like="postgres://user:password@host/name or sqlite:////path")
    if parts.scheme == "sqlite" and parts.netloc not in {"", ":memory:"}:
        raise ImproperlyConfigured(f"{name}: write three slashes and the path, like sqlite:////srv/labportal/lab.db.")
    config: dict[str, Any] = _taken_apart(name, environ.Env.db_url_config, value)
    if parts.scheme != "sqlite" and not (config["NAME"] or "service" in config.get("OPTIONS", {})):
        raise ImproperlyConfigured(f"{name} does not name a database, like postgres://user:password@host/name.")
    return config


def mail_server(name: str, default: str) -> dict[str, Any]:
    """Django's settings of mail, by name."""
    value = text(name, default)
    _server(name, value, environ.Env.EMAIL_SCHEMES, like="smtp+tls://user:password@host:587")
    config: dict[str, Any] = _taken_apart(name, environ.Env.email_url_config, value)
    if config["EMAIL_PORT"] == 465 and config.get(
        "EMAIL_USE_TLS"
    ):  # there TLS comes first, whatever the scheme is called
        config |= {"EMAIL_USE_TLS": False, "EMAIL_USE_SSL": True}
    return config


def redis(name: str) -> str:
    value = text(name, "")
    if value:
        _server(name, value, {"redis", "rediss", "unix"}, like="redis://:password@host:6379/0")
    return value


def _server(name: str, value: str, schemes: Any, *, like: str) -> SplitResult:
    """The parts of an address with a password in it, which may hold a # as it is."""
    parts: SplitResult = _taken_apart(name, urlsplit, value)
    if parts.scheme not in schemes or "://" not in value:
        raise ImproperlyConfigured(f"{name} must be an address like {like}; its value is not shown here.")
    # What stands behind an unencoded / or ? of a password is not where it belongs.
    if parts.scheme != "sqlite" and parts.netloc and "@" in parts.path + ("" if "@" in parts.netloc else parts.query):
        raise ImproperlyConfigured(f"{name} cannot be parsed: {ENCODE}.")
    return parts


def _taken_apart(name: str, parse: Callable[[str], Any], value: str) -> Any:
    try:
        return parse(value.replace("#", "%23"))
    except ValueError:  # it quotes the value
        raise ImproperlyConfigured(f"{name} cannot be parsed: {ENCODE}.") from None


# People


def recipients(name: str) -> list[str]:
    """Addresses of mail, separated by commas, semicolons or blanks. What is none stays as written, for a check."""
    pieces = re.findall(r'(?:"(?:\\.|[^"\\])*"|[^,;"\n])+', text(name, ""))
    found = [part for piece in pieces for part in (piece.split() if "<" not in piece else [piece.strip()])]
    return [recipient(one) or one for one in found if one]


def recipient(written: str) -> str | None:
    """One address in the form that Django sends to, or nothing."""
    plain = re.sub(r"(^|<)mailto:", r"\1", written.strip(), flags=re.IGNORECASE)
    if not (parts := RECIPIENT.fullmatch(plain)):
        return None
    alone, quoted, name, address = parts.groups(default="")
    local, _, domain = (alone or address).partition("@")
    shown = re.sub(r"\\(.)", r"\1", quoted) or name.strip()
    return str(Address(shown, local, domain)) if shown else f"{local}@{domain}"
