#!/bin/sh
# django-environ 0.14.0
#
# EMAIL_URL=smtps://user:password@host:465 sets EMAIL_USE_TLS, with which Django connects unencrypted and sends
# STARTTLS. A server at port 465 speaks TLS from the first byte and waits: no mail is sent, and you see a
# timeout. The scheme that sets EMAIL_USE_SSL is smtp+ssl. You would expect smtps to mean the same as elsewhere
# (RFC 8314: submission over implicit TLS, port 465).
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check django-environ==0.14.0

venv/bin/python - >out <<'PYTHON'
from environ import Env

for scheme in ("smtps", "smtp+tls", "smtp+ssl"):
    config = Env.email_url_config(f"{scheme}://portal:word@mail.example:465")
    print(scheme, {name: config[name] for name in ("EMAIL_PORT", "EMAIL_USE_TLS", "EMAIL_USE_SSL") if name in config})
PYTHON
cat out
[ "$(cat out)" = "smtps {'EMAIL_PORT': 465, 'EMAIL_USE_TLS': True}
smtp+tls {'EMAIL_PORT': 465, 'EMAIL_USE_TLS': True}
smtp+ssl {'EMAIL_PORT': 465, 'EMAIL_USE_SSL': True}" ] || { echo "CHANGED: smtps sets something else"; exit 1; }
