#!/bin/sh
# Authlib 1.9.10
#
# HTTP Basic authentication of a client sends the secret as it is. RFC 6749 (2.3.1) has client ID and secret encoded as in
# a form first, and providers that follow it decode: a secret with % or + is refused as invalid_client, though it is
# right, and one with letters outside of Latin-1 raises UnicodeEncodeError. Work around it: encode both, or send the secret
# in the body (client_secret_post).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check Authlib==1.9.10

venv/bin/python -W error - >out <<'PYTHON'
import base64
from urllib.parse import unquote_plus

from authlib.oauth2.auth import ClientAuth


def as_the_provider_reads_it(secret):
    _uri, headers, _body = ClientAuth("portal", secret, "client_secret_basic").prepare("POST", "https://x/", {}, "")
    sent = base64.b64decode(headers["Authorization"].split()[1]).decode()
    return unquote_plus(sent.partition(":")[2])


for secret in ("plain", "100%25+1"):
    print(as_the_provider_reads_it(secret) == secret)
try:
    as_the_provider_reads_it("contraseña€")
except UnicodeEncodeError as error:
    print(type(error).__name__)
PYTHON
cat out
[ "$(tr '\n' ' ' <out)" = "True False UnicodeEncodeError " ] || { echo "CHANGED: Authlib encodes the secret"; exit 1; }
