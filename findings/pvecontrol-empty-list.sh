#!/bin/sh
# pvecontrol 0.8.0 (prettytable 3.18.0)
#
# A list that is empty ends with a traceback: the headings are taken from the first row (`table[0].keys()`). So `group list`
# fails on every cluster without groups, and `task list` on one that has just been installed. One would expect an empty table.
# Its other formats (`--output json`) fail in the same way. Work around it: take the IndexError for "there are none".
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check pvecontrol==0.8.0

venv/bin/python - >out <<'PYTHON'
from pvecontrol.utils import OutputFormats, render_output

for columns in (None, ["groupid"]):
    for output in (OutputFormats.TEXT, OutputFormats.JSON):
        try:
            print(columns, output.name, render_output([], columns=columns, output=output))
        except IndexError as problem:
            print(columns, output.name, "IndexError:", problem)
PYTHON
cat out
[ "$(grep -c 'IndexError: list index out of range' out)" = 4 ] || { echo "CHANGED: an empty list is no IndexError any more"; exit 1; }
