#!/bin/sh
# proxmoxer 2.3.0 (requests 2.32.5)
#
# A response without a body (204, or 200 with none, as behind a proxy that drops it) is returned as if it were data: a
# dictionary {'errors': b''}. It is truthy, and no exception is raised, so `if api.nodes.get():` holds, and a loop over
# "the nodes" runs once, over the text 'errors'. Work around it: check the type of the result.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check proxmoxer==2.3.0 requests==2.32.5 responses==0.25.8

venv/bin/python - >out <<'PYTHON'
import re

import proxmoxer
import responses

api = proxmoxer.ProxmoxAPI("pve.example", user="portal@pve", token_name="labs", token_value="x", verify_ssl=False)
for status in (204, 200):
    with responses.RequestsMock() as answers:
        answers.get(re.compile(".*/nodes"), status=status, body=b"")
        nodes = api.nodes.get()
    print(status, nodes, bool(nodes), [node for node in nodes])
PYTHON
cat out
[ "$(cat out)" = "204 {'errors': b''} True ['errors']
200 {'errors': b''} True ['errors']" ] || { echo "CHANGED: an answer without a body is no longer {'errors': b''}"; exit 1; }
