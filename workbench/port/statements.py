"""Statements: assignments with their declarations, loops and branches, one line of C++ after another."""

from __future__ import annotations

import ast
from contextlib import contextmanager
from typing import Any

from numba.core import types

from workbench.port.expression import Array, Effect, Expression, Level, literal
from workbench.port.function import Value
from workbench.port.guards import Guard, Guards
from workbench.port.kinds import INT64, Kind, fits, limits, unified
from workbench.port.ranges import ENDLESS, joined, narrowed, widened
from workbench.port.scopes import Variable

INDENT = "  "
WIDEN_AFTER = 3
"""Passes over a function after which a range that still grows is let go."""


class Statements(Guards):
    """The body of a function."""

    lines: list[str]
    depth: int
    passes: int
    changed: bool

    def put(self, line: str, comment: str | None = None) -> None:
        self.lines.append(INDENT * self.depth + line + (f"  // {comment}" if comment else ""))

    def block(self, statements: list[ast.stmt], after: int, before: int, guard: Guard | None = None) -> None:
        """The statements of a block that begins below the line ``after`` and ends above the line ``before``."""
        self.depth += 1
        depth = len(self.guards)
        self.guards.append(guard or {})
        for k, statement in enumerate(statements):
            for comment in self.text.above(after, statement.lineno):
                self.put(f"// {comment}")
            for variable in self.scopes.before.get(id(statement), ()):
                self._declare(variable)
            self.statement(statement, next((s.lineno for s in statements[k + 1 :]), before))
            after = statement.end_lineno
            if isinstance(statement, ast.If) and _leaves(statement.body) and not statement.orelse:
                self.guards.append(self.known(statement.test, False, statements[k + 1 :]))
        for comment in self.text.above(after, before, statements[0].col_offset):
            self.put(f"// {comment}")
        del self.guards[depth:]
        self.depth -= 1

    def statement(self, node: ast.stmt, before: int) -> None:
        writers: dict[type, Any] = {
            ast.Assign: self._assign,
            ast.AnnAssign: self._annotated,
            ast.AugAssign: self._augmented,
            ast.Expr: self._expression,
            ast.Return: self._return,
            ast.Break: lambda node: self.put("break;", self.text.trailing(node)),
            ast.Continue: lambda node: self.put("continue;", self.text.trailing(node)),
            ast.Pass: lambda node: None,
        }
        if isinstance(node, ast.If):
            self._if(node, before)
        elif isinstance(node, ast.While):
            self._while(node, before)
        elif isinstance(node, ast.For):
            self._for(node, before)
        elif type(node) in writers:
            writers[type(node)](node)
        else:
            raise self.refused(node, f"`{ast.unparse(node).splitlines()[0]}` has no C++ that says the same")

    # -- variables

    def keep(self, node: ast.AST, variable: Variable, e: Expression) -> None:
        """Learn of a variable what is assigned to it. Raises PortError where it would need two types."""
        for k, one in enumerate(e.kind):
            found = self.inferred[k].variables.get(variable.name, set())
            if not variable.is_parameter and one not in found and not any(fits_into(one, other) for other in found):
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
        variable.kind, variable.cpp, variable.code = kind, kind, variable.name
        variable.range, variable.natural = found, natural

    def _declare(self, variable: Variable) -> None:
        if variable.kind is not None:
            self.put(f"{self.cpp_name(variable.kind)} {variable.code};")
        else:
            self.changed = True

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
            self.put(f"{place.code} = {value.stored};", comment)
        else:
            raise self.refused(node, f"`{ast.unparse(target)}` is nothing that C++ can assign to here")

    def _store_variable(self, node: ast.stmt, variable: Variable, value: Value, comment: str | None) -> None:
        if isinstance(value, tuple):
            raise self.refused(node, f"{variable.name} is a tuple; give each of its parts a name")
        if isinstance(value, Array):
            self._store_array(node, variable, value, comment)
            return
        if value.kind.single == types.none:
            raise self.refused(node, f"{variable.name} is None: `{ast.unparse(node)}`")
        self.keep(node, variable, value)
        if variable.at is node:
            const = "const " if variable.stores == 1 else ""
            self.put(f"{const}{self.cpp_name(variable.kind)} {variable.code} = {value.stored};", comment)
        else:
            self.put(f"{variable.code} = {value.stored};", comment)

    def _store_array(self, node: ast.stmt, variable: Variable, value: Array, comment: str | None) -> None:
        if variable.stores > 1 or variable.at is not node:
            raise self.refused(node, f"{variable.name} stands for several arrays; give each a name of its own")
        value = self.view(value)
        self.cpp_name(value.kind.element)
        self.put(f"const {value.type_name} {variable.name} = {value.code};", comment)
        self.arrays[variable] = Array(variable.name, value.kind, value.writable)

    # -- simple statements

    def _assign(self, node: ast.Assign) -> None:
        comment = self.text.trailing(node)
        if self._allocates(node, comment):
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
            raise self.refused(node, f"`{ast.unparse(node.value)}` is no tuple of {len(target.elts)} that is known here")
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
        self.put(f"const {self.cpp_name(value.kind)} {name} = {value.stored};")
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
        name = variable.name
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

    def _annotated(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._store(node, node.target, self.value(node.value), self.text.trailing(node))

    def _augmented(self, node: ast.AugAssign) -> None:
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
        text = f"{before.code} = {after.stored};"
        if after.left == before.code:
            symbol = after.code[len(before.code) + 1 :].split(" ", 1)[0]
            text = f"{before.code} {symbol}= {after.right};"
        self.put(text, comment)

    def _expression(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):  # a docstring, which stands above the function
            return
        found = self.value(node.value)
        if isinstance(found, Expression) and found.effect > Effect.READS:
            self.put(f"{found.code};", self.text.trailing(node))

    def _return(self, node: ast.Return) -> None:
        comment = self.text.trailing(node)
        if node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None):
            self.put("return;", comment)
        elif self.result is None:
            raise self.refused(node, "a kernel returns nothing")
        else:
            self.put(f"return {self.scalar(node.value).stored};", comment)

    # -- branches and loops

    def _if(self, node: ast.If, before: int, head: str = "if") -> None:
        test = self.truth(node.test)
        self.put(f"{head} ({test.stored}) {{", self.text.trailing(node))
        other = node.orelse[0].lineno if node.orelse else before
        self.block(node.body, node.lineno, other, self.known(node.test, True, node.body))
        if not node.orelse:
            self.put("}")
            return
        guard = self.known(node.test, False, node.orelse)
        nested = node.orelse[0]
        is_elif = len(node.orelse) == 1 and isinstance(nested, ast.If) and self.text.is_elif(nested)
        if is_elif and not self.scopes.before.get(id(nested)):
            self.guards.append(guard)
            self._if(nested, before, "} else if")
            self.guards.pop()
        else:
            self.put("} else {")
            self.block(node.orelse, node.body[-1].end_lineno, before, guard)
            self.put("}")

    def _while(self, node: ast.While, before: int) -> None:
        if node.orelse:
            raise self.refused(node, "C++ has no `else` of a loop")
        test = self.truth(node.test)
        self.put(f"while ({test.stored}) {{", self.text.trailing(node))
        self.block(node.body, node.lineno, before, self.known(node.test, True, node.body))
        self.put("}")

    def _for(self, node: ast.For, before: int) -> None:
        if node.orelse or not isinstance(node.target, ast.Name):
            raise self.refused(node, "C++ has no `else` of a loop, and counts with one variable")
        variable = self.scopes.of[id(node.target)]
        name = variable.name if variable.counts else self.fresh(f"next_{variable.name}")
        if isinstance(node.iter, ast.Call) and self.outside(node.iter.func) == (range, range):
            head, first = self._range(node, name)
        else:
            head, first = self._over_tuple(node, name)
        self.keep(node, variable, first)
        self.put(f"for ({head}) {{", self.text.trailing(node))
        if not variable.counts:
            self.put(f"{INDENT}{variable.code} = {name};")
        self.block(node.body, node.lineno, before)
        self.put("}")

    def _range(self, node: ast.For, name: str) -> tuple[str, Expression]:
        """The head of ``for i in range(...)``, and what the variable is in it."""
        arguments = [self.scalar(argument) for argument in node.iter.args]
        if node.iter.keywords or not 1 <= len(arguments) <= 3:
            raise self.refused(node, "range takes one to three numbers")
        start, stop, step = literal(0), arguments[0], literal(1)
        if len(arguments) > 1:
            start, stop = arguments[:2]
        if len(arguments) == 3:
            step = arguments[2]
        self.keep_order(node, *arguments)
        down = step.range[1] < 0
        if not down and step.range[0] < 0:
            raise self.refused(node, f"whether `{ast.unparse(node.iter.args[2])}` is positive is not known")
        kind = self.signature(node, range, tuple(e.kind for e in arguments))[0]
        kind = kind.map(lambda one: one.dtype)
        stop, step = (self._fixed(node, e, label) for e, label in ((stop, f"end_{name}"), (step, f"step_{name}")))
        type_name = self.cpp_name(kind)
        symbol = ">" if down else "<"
        by = _step(name, step, down)
        found = (stop.range[0] + 1, start.range[1]) if down else (start.range[0], max(start.range[0], stop.range[1] - 1))
        found = found if fits(found, kind.single) else limits(kind.single)
        natural = start.natural if not down else stop.range[0] >= -1
        if kind != INT64 and stop.cpp != kind:
            raise self.refused(node, f"range counts in {kind} here; begin it with an int64")
        head = f"{type_name} {name} = {start.stored}; {name} {symbol} {stop.at(Level.SHIFT)}; {by}"
        return head, Expression(name, Level.PRIMARY, kind, kind, found, natural)

    def _fixed(self, node: ast.For, e: Expression, label: str) -> Expression:
        """A bound of a range, which Python evaluates once: under a name if the loop could change it."""
        index = [self._argument_of(node, e)] if e.constant is None else []
        assigned = {n.id for s in node.body for n in ast.walk(s) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        names = {n.id for one in index for n in ast.walk(one) if isinstance(n, ast.Name)} if index else set()
        if e.effect == Effect.NONE and not names & (assigned | {node.target.id}):
            return e
        name = self.fresh(label)
        self.put(f"const {self.cpp_name(e.kind)} {name} = {e.stored};")
        return Expression(name, Level.PRIMARY, e.kind, e.kind, e.range, e.natural)

    def _argument_of(self, node: ast.For, e: Expression) -> ast.expr:
        return node.iter

    def _over_tuple(self, node: ast.For, name: str) -> tuple[str, Expression]:
        """The head of a loop over a tuple of constants."""
        values = self.value(node.iter)
        if not isinstance(values, tuple) or not values:
            raise self.refused(node, f"`for ... in {ast.unparse(node.iter)}`: C++ loops over a range or a tuple of numbers")
        kinds = {e.kind for e in values}
        if len(kinds) > 1 or any(e.constant is None for e in values):
            raise self.refused(node, "a loop over a tuple takes constants of one type")
        (kind,) = kinds
        found = (min(e.range[0] for e in values), max(e.range[1] for e in values)) if kind.is_integer else None
        variable = self.scopes.of[id(node.target)]
        const = "const " if variable.counts else ""
        head = f"{const}{self.cpp_name(kind)} {name} : {{{', '.join(e.stored for e in values)}}}"
        return head, Expression(name, Level.PRIMARY, kind, kind, found, all(e.natural for e in values))


def _step(name: str, step: Expression, down: bool) -> str:
    if step.constant is not None and abs(step.constant[0]) == 1:
        return f"--{name}" if down else f"++{name}"
    if down and step.constant is not None:
        return f"{name} -= {step.code.removeprefix('-')}"
    return f"{name} += {step.stored}"


def _leaves(statements: list[ast.stmt]) -> bool:
    return isinstance(statements[-1], (ast.Return, ast.Break, ast.Continue))


def fits_into(one: Any, other: Any) -> bool:
    """Whether Numba's variable of one type takes values of the other as they are."""
    return {one, other} == {types.int32, types.int64}


__all__ = ["ENDLESS", "Statements", "contextmanager", "narrowed"]
