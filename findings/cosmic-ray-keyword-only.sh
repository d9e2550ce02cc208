#!/bin/sh
# cosmic-ray 8.7.0 (parso 0.8.7)
#
# The bare * in a signature, which makes the following arguments keyword-only, counts as a multiplication. One of its
# mutants, * → /, is valid Python with another signature: the arguments before it become positional-only, those behind it are
# no longer keyword-only. The ten others (>>, -, +, …) are not valid Python: every test run fails, which counts as killed. In code
# with keyword-only arguments, the share of killed mutants is therefore too high. You would expect no mutants of
# the bare *, just as the * in *args is left alone.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check cosmic-ray==8.7.0 parso==0.8.7

cat >look.py <<'PYTHON'
import ast

from cosmic_ray import plugins
from cosmic_ray.mutating import mutate_code

for source in ("def area(a, *, b):\n    return a\n", "def area(a, *rest):\n    return a\n"):
    python, broken = [], 0
    for name in plugins.operator_names():
        if "BinaryOperator_Mul_" not in name:
            continue
        mutant = mutate_code(source, plugins.get_operator(name)(), 0)
        if mutant is None:
            continue
        try:
            ast.parse(mutant)
            python.append(mutant.splitlines()[0])
        except SyntaxError:
            broken += 1
    print(source.splitlines()[0], python, broken)
PYTHON
venv/bin/python look.py >out
cat out
[ "$(cat out)" = "def area(a, *, b): ['def area(a, /, b):'] 10
def area(a, *rest): [] 0" ] || { echo "CHANGED: a bare * is mutated otherwise"; exit 1; }
