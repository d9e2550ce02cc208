"""The mutants of a module: every place that the mutation tool would change, without those that say nothing.

Left out are changes of type annotations, which nothing runs, of the bare * in a signature, which the tool takes for a
product, and of `is` to `==`: it stands before None, and before what equals nothing but itself.
"""

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from cosmic_ray import plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

SAME = {"core/ReplaceComparisonOperator_Is_Eq", "core/ReplaceComparisonOperator_IsNot_NotEq"}
Position = tuple[int, int]


@dataclass(frozen=True)
class Mutant:
    module: str
    operator: str
    occurrence: int
    line: int

    def code(self, source: str) -> str | None:
        try:
            changed: str | None = mutate_code(source, plugins.get_operator(self.operator)(), self.occurrence)
        except AttributeError:  # the tool cannot replace `except (module.Name, …)`
            return None
        return changed

    def diff(self, source: str) -> list[str]:
        """The changed lines, with - and + before them."""
        lines = unified_diff(source.splitlines(), (self.code(source) or "").splitlines(), n=0, lineterm="")
        return [line for line in lines if line[:1] in "-+" and line[:3] not in {"---", "+++"}]


def of_module(path: Path, name: str) -> Iterator[Mutant]:
    source = path.read_text(encoding="utf-8")
    tree, unseen = get_ast(source), annotations(source)
    for operator_name in sorted(plugins.operator_names()):
        operator_class = plugins.get_operator(operator_name)
        if operator_class.arguments() or operator_name in SAME:
            continue
        operator = operator_class()
        positions = ((node, place) for node in ast_nodes(tree) for place in operator.mutation_positions(node))
        for occurrence, (node, (start, _end)) in enumerate(positions):
            in_signature = node.parent and node.parent.type in {"parameters", "lambdef"}
            if not in_signature and not any(begin <= start < end for begin, end in unseen):
                yield Mutant(name, operator_name, occurrence, start[0])


def annotations(source: str) -> list[tuple[Position, Position]]:
    """Where the types stand: from line and column to line and column."""
    found: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.AnnAssign() | ast.arg():
                found.append(node.annotation)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                found.append(node.returns)
            case _:
                pass
    return [
        ((one.lineno, one.col_offset), (one.end_lineno or one.lineno, one.end_col_offset or one.col_offset))
        for one in found
        if one
    ]


def draw(root: Path, modules: list[str], seed: int) -> list[Mutant]:
    """All mutants of the modules, in an order that the seed decides."""
    every = [mutant for module in modules for mutant in of_module(root / module, module)]
    random.Random(seed).shuffle(every)  # noqa: S311 - a sample, no secret
    return every
