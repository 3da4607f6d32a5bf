"""Assignments: what is learnt of variables, where they are declared, and arrays in shared and local memory."""

from __future__ import annotations

import ast
from typing import Any

from numba.core import types

from workbench.porting.expression import Array, Effect, Expression, Level
from workbench.porting.function import Value
from workbench.porting.guards import Guards
from workbench.porting.kinds import BOOL, HALF, Kind, fits, limits, unified
from workbench.porting.ranges import joined, widened
from workbench.porting.scopes import Variable

INDENT = "  "
WIDEN_AFTER = 3
"""Passes over a function after which a range that still grows is let go."""


class Assignments(Guards):
    """Statements that assign, one line of C++ after another."""

    lines: list[str]
    taken: set[str]
    depth: int
    passes: int
    changed: bool

    def put(self, line: str, comment: str | None = None) -> None:
        self.lines.append(INDENT * self.depth + line + (f"  // {comment}" if comment else ""))

    # -- variables

    def keep(self, node: ast.AST, variable: Variable, e: Expression) -> None:
        """Learn of a variable what is assigned to it. Raises PortError where it would need two types."""
        for k, one in enumerate(e.kind):
            found = self.inferred[k].variables.get(variable.name)  # none of a parameter, or a part of a tuple
            if found and one not in found and not any(_fits_into(one, other) for other in found):
                listed = " or ".join(sorted(map(str, found)))
                raise self.refused(node, f"{variable.name} is {listed} for Numba, and {one} as it was read here")
        kind = e.kind if variable.kind is None else unified(variable.kind, e.kind)
        if kind is None:
            raise self.refused(
                node,
                f"{variable.name} is {variable.kind} and then {e.kind}, and a C++ variable has one type; begin with "
                "the type that it ends with, or use another name",
            )
        found = None
        if kind.is_integer:
            found = e.range if variable.range is None else joined(variable.range, e.range)
            if self.passes > WIDEN_AFTER and variable.range is not None and found != variable.range:
                found = widened(variable.range, found)
            if not fits(found, kind.single):
                found = limits(kind.single)
        natural = kind.is_integer and variable.natural and e.natural
        now = (kind, found, natural)
        if now != (variable.kind, variable.range, variable.natural):
            self.changed = True
        variable.kind, variable.cpp, variable.code = kind, kind, self.identifier(variable.name)
        variable.range, variable.natural = found, natural

    def declare(self, variable: Variable) -> None:
        for part in self.tuples.get(variable, ()):
            self.declare(part)
        if variable.kind is not None:
            self.put(f"{self.cpp_name(variable.kind)} {variable.code};")
        else:
            self.changed = self.changed or variable not in self.tuples

    def _store(self, node: ast.stmt, target: ast.expr, value: Value, comment: str | None = None) -> None:
        """``target = value`` for one target that is no tuple."""
        if isinstance(target, ast.Name):
            self._store_variable(node, self.scopes.of[id(target)], value, comment)
        elif isinstance(target, ast.Subscript):
            if not isinstance(value, Expression):
                raise self.refused(node, "C++ does not copy a whole array; write a loop over the elements")
            place = self.at(node, self.array(target.value), target.slice)
            if not isinstance(place, Expression):
                raise self.refused(node, "C++ does not fill a whole array; write a loop over the elements")
            self.effect = Effect.WRITES
            value = self.halved(node, value) if place.kind == HALF else value
            self.put(f"{place.code} = {value.into(place.kind)};", comment)
        else:
            raise self.refused(node, f"`{ast.unparse(target)}` is nothing that C++ can assign to here")

    def _store_variable(self, node: ast.stmt, variable: Variable, value: Value, comment: str | None) -> None:
        if isinstance(value, tuple):
            self._store_tuple(node, variable, value)
            return
        if isinstance(value, Array):
            self._store_array(node, variable, value, comment)
            return
        if value.kind.single == types.none:
            raise self.refused(node, f"{variable.name} is None: `{ast.unparse(node)}`")
        self.keep(node, variable, value)
        if variable.at is node:
            const = "const " if variable.stores == 1 else ""
            self.put(f"{const}{self.cpp_name(variable.kind)} {variable.code} = {value.into(variable.kind)};", comment)
        else:
            self.put(f"{variable.code} = {value.into(variable.kind)};", comment)

    def _store_tuple(self, node: ast.stmt, variable: Variable, values: tuple) -> None:
        """A tuple is a variable for each of its parts."""
        if any(not isinstance(value, Expression) for value in values):
            raise self.refused(node, f"{variable.name} is a tuple of other things than numbers; give each a name")
        if variable not in self.tuples:
            names = [self.fresh(f"{variable.name}_{k}") for k in range(len(values))]
            at = variable.at
            self.tuples[variable] = tuple(Variable(name, stores=variable.stores, at=at) for name in names)
            self.changed = True
        parts = self.tuples[variable]
        if len(parts) != len(values):
            raise self.refused(node, f"{variable.name} is a tuple of {len(parts)} and then one of {len(values)}")
        if variable.at is not node:
            target = ast.Name(variable.name)
            values = tuple(self._ahead(node, target, value) for value in values)
        for part, value in zip(parts, values, strict=True):
            self._store_variable(node, part, value, None)

    def _store_array(self, node: ast.stmt, variable: Variable, value: Array, comment: str | None) -> None:
        if variable.stores > 1 or variable.at is not node:
            raise self.refused(node, f"{variable.name} stands for several arrays; give each a name of its own")
        if value.dims is not None:  # a C array under another name
            self.arrays[variable] = value
            return
        self.cpp_name(value.kind.element)
        name = self.identifier(variable.name)
        self.put(f"const {value.type_name} {name} = {value.code};", comment)
        self.arrays[variable] = Array(name, value.kind, value.writable)

    # -- simple statements

    def assign(self, node: ast.Assign) -> None:
        comment = self.text.trailing(node)
        if self._allocates(node, comment) or self._matches_all(node, comment):
            return
        if len(node.targets) > 1:
            self._assign_to_all(node, comment)
        elif isinstance(node.targets[0], ast.Tuple):
            self._unpack(node, node.targets[0], comment)
        else:
            self._store(node, node.targets[0], self.value(node.value), comment)

    def _assign_to_all(self, node: ast.Assign, comment: str | None) -> None:
        """``a = b = value``"""
        value = self.scalar(node.value)
        for k, target in enumerate(node.targets):
            if k and value.constant is None and not isinstance(node.targets[0], ast.Name):
                raise self.refused(node, "assign to one target a line")
            self._store(node, target, value, comment if k == 0 else None)
            if k == 0 and value.constant is None:
                value = self.read(self.scopes.of[id(target)])

    def _unpack(self, node: ast.Assign, target: ast.Tuple, comment: str | None) -> None:
        """``a, b = x, y``, where Python evaluates both values before it assigns either."""
        values = self.value(node.value)
        if not isinstance(values, tuple) or len(values) != len(target.elts):
            raise self.refused(
                node, f"`{ast.unparse(node.value)}` is no tuple of {len(target.elts)} that is known here"
            )
        if isinstance(node.value, ast.Tuple) and self._interfere(target.elts, node.value.elts, values):
            values = tuple(self._ahead(node, part, value) for part, value in zip(target.elts, values, strict=True))
        for k, (part, value) in enumerate(zip(target.elts, values, strict=True)):
            self._store(node, part, value, comment if k == 0 else None)

    @staticmethod
    def _interfere(targets: list[ast.expr], nodes: list[ast.expr], values: tuple) -> bool:
        """Whether assigning one after the other would give a later value what an earlier one just assigned."""
        for k, target in enumerate(targets):
            later = [n for node in nodes[k + 1 :] for n in ast.walk(node)]
            effects = [e.effect for e in values[k + 1 :] if isinstance(e, Expression)]
            if isinstance(target, ast.Name):
                if any(isinstance(n, ast.Name) and n.id == target.id for n in later):
                    return True
            elif any(effect > Effect.NONE for effect in effects):
                return True
        return False

    def _ahead(self, node: ast.stmt, target: ast.expr, value: Value) -> Value:
        """A value under a name of its own, evaluated now."""
        if not isinstance(value, Expression) or value.constant is not None:
            return value
        label = target.id if isinstance(target, ast.Name) else "value"
        name = self.fresh(f"next_{label}")
        self.put(f"const {self.cpp_name(value.kind)} {name} = {value.into(value.kind)};")
        return Expression(name, Level.PRIMARY, value.kind, value.kind, value.range, value.natural)

    def fresh(self, name: str) -> str:
        """A name that neither the function nor this pass over it has."""
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def _allocates(self, node: ast.Assign, comment: str | None) -> bool:
        """Declare a shared or local array; whether the statement makes one."""
        call = node.value
        operation = self.operation_named(call.func) if isinstance(call, ast.Call) else None
        if operation not in ("shared.array", "local.array"):
            return False
        given = dict(zip(("shape", "dtype", "alignment"), call.args, strict=False))
        given |= {keyword.arg: keyword.value for keyword in call.keywords}
        target = node.targets[0]
        variable = self.scopes.of.get(id(target)) if isinstance(target, ast.Name) else None
        if len(node.targets) > 1 or variable is None or variable.stores > 1:
            raise self.refused(node, "an array is made on a line of its own, under a name that stands for nothing else")
        element = self.dtype(given["dtype"])
        if element is None:
            raise self.refused(node, f"`{ast.unparse(given['dtype'])}` is no type of numbers")
        shape = self.value(given["shape"])
        dims = shape if isinstance(shape, tuple) else (shape,)
        if any(not isinstance(e, Expression) or e.range is None or e.range[0] != e.range[1] for e in dims):
            raise self.refused(node, f"the shape `{ast.unparse(given['shape'])}` is no constant")
        name = self.identifier(variable.name)
        kind = Kind(*(types.Array(one, len(dims), "A") for one in element))
        if operation == "shared.array" and len(dims) == 1 and dims[0].range[0] == 0:
            self.whole.shared_dynamic = True
            self.put(f"const auto {name} = dynamic_shared<{self.cpp_name(element)}>();", comment)
            self.arrays[variable] = Array(name, kind, True)
            return True
        space = "__shared__ " if operation == "shared.array" else ""
        self.put(f"{space}{self.cpp_name(element)} {name}{''.join(f'[{e.code}]' for e in dims)};", comment)
        self.arrays[variable] = Array(name, kind, True, tuple(dims))
        return True

    def _matches_all(self, node: ast.Assign, comment: str | None) -> bool:
        """``lanes, same = cuda.match_all_sync(mask, value)``, of which C++ returns one; whether it is such a line."""
        call = node.value
        if not (isinstance(call, ast.Call) and self.operation_named(call.func) == "match_all_sync"):
            return False
        (target,) = node.targets
        if not (isinstance(target, ast.Tuple) and len(target.elts) == 2):
            raise self.refused(node, "cuda.match_all_sync gives two values: `lanes, same = cuda.match_all_sync(...)`")
        label = target.elts[1].id if isinstance(target.elts[1], ast.Name) else "same"
        name = self.fresh(f"all_{label}")
        self.put(f"int {name};")
        lanes = self.vote(call, "match_all_sync", f", &{name}")
        self._store(node, target.elts[0], lanes, comment)
        same = Expression(f"{name} != 0", Level.EQUALITY, BOOL, BOOL, (0, 1), True)
        self._store(node, target.elts[1], same)
        return True

    def annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._store(node, node.target, self.value(node.value), self.text.trailing(node))

    def augmented(self, node: ast.AugAssign) -> None:
        comment = self.text.trailing(node)
        if isinstance(node.target, ast.Name):
            variable = self.scopes.of[id(node.target)]
            if variable.kind is None:
                raise self.refused(node, f"{variable.name} is read before anything is assigned to it")
            before = self.read(variable)
        else:
            place = self.value(node.target)
            if not isinstance(place, Expression):
                raise self.refused(node, "C++ does not change a whole array; write a loop over the elements")
            before = place
        after = self.operation(node, node.op, before, self.scalar(node.value))
        if isinstance(node.target, ast.Name):
            self.keep(node, variable, after)
        else:
            self.effect = Effect.WRITES
        text = f"{before.code} = {after.into(before.kind)};"
        if after.left == before.code:
            symbol = after.code[len(before.code) + 1 :].split(" ", 1)[0]
            text = f"{before.code} {symbol}= {after.right};"
        self.put(text, comment)


def _fits_into(one: Any, other: Any) -> bool:
    """Whether Numba's variable of one type takes values of the other as they are."""
    return {one, other} == {types.int32, types.int64}
