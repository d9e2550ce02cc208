"""An answer that repeats a password in another spelling is not quoted to people."""

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest

from clusters.proxmox.transport import _spellings

SECRET = "s3cr&t <pass>/\"ü'"
SPELLINGS = {
    "plain": SECRET,
    "percent": quote(SECRET),
    "percent-all": quote(SECRET, safe=""),
    "form": quote_plus(SECRET),
    "json": json.dumps(SECRET)[1:-1],
    "html": html.escape(SECRET),
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "mojibake": SECRET.encode().decode("latin-1"),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_known_in_this_spelling(spelling: str) -> None:
    assert SPELLINGS[spelling] in _spellings(SECRET)
