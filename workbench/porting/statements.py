"""Statements: assignments with their declarations, loops and branches, one line of C++ after another."""

from __future__ import annotations

import ast
from typing import Any

from workbench.porting.assignments import INDENT, Assignments
from workbench.porting.expression import Effect, Expression, Level, literal
from workbench.porting.guards import Guard
from workbench.porting.kinds import fits, limits
from workbench.porting.scopes import is_stored


class Statements(Assignments):
    """The body of a function."""

    def block(self, statements: list[ast.stmt], after: int, before: int, guard: Guard | None = None) -> None:
        """The statements of a block that begins below the line ``after`` and ends above the line ``before``."""
        self.depth += 1
        depth = len(self.guards)
        self.guards.append(guard or {})
        for k, statement in enumerate(statements):
            for comment in self.text.above(after, statement.lineno):
                self.put(f"// {comment}")
            for variable in self.scopes.before.get(id(statement), ()):
                self.declare(variable)
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
            ast.Assign: self.assign,
            ast.AnnAssign: self.annotated,
            ast.AugAssign: self.augmented,
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
            self.put(f"return {self.scalar(node.value).into(self.result)};", comment)

    # -- branches and loops

    def _if(self, node: ast.If, before: int, head: str = "if") -> None:
        test = self.truth(node.test)
        self.put(f"{head} ({test.code}) {{", self.text.trailing(node))
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
        self.put(f"while ({test.code}) {{", self.text.trailing(node))
        self.block(node.body, node.lineno, before, self.known(node.test, True, node.body))
        self.put("}")

    def _for(self, node: ast.For, before: int) -> None:
        if node.orelse or not isinstance(node.target, ast.Name):
            raise self.refused(node, "C++ has no `else` of a loop, and counts with one variable")
        variable = self.scopes.of[id(node.target)]
        name = self.identifier(variable.name) if variable.counts else self.fresh(f"next_{variable.name}")
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
        nodes = [*node.iter.args[-2:], None] if len(arguments) < 3 else node.iter.args
        self.keep_order(node, *arguments)
        down = step.range[1] < 0
        if not down and step.range[0] < 0:
            said = ast.unparse(node.iter.args[2])
            raise self.refused(
                node, f"whether `{said}` is positive is not known; `if {said} > 0:` around the loop would say so"
            )
        kind = self.signature(node, range, tuple(e.kind for e in arguments))[0]
        kind = kind.map(lambda one: one.dtype)
        stop = self._fixed(node, nodes[-2], stop, f"end_{name}")
        step = self._fixed(node, nodes[-1], step, f"step_{name}")
        type_name = self.cpp_name(kind)
        symbol = ">" if down else "<"
        by = _step(name, step, down)
        found = (
            (stop.range[0] + 1, start.range[1]) if down else (start.range[0], max(start.range[0], stop.range[1] - 1))
        )
        found = found if fits(found, kind.single) else limits(kind.single)
        natural = start.natural if not down else stop.range[0] >= -1
        counter = Expression(name, Level.PRIMARY, kind, kind, found, natural)
        one, other = self.comparable(counter, stop, (kind, kind))
        return f"{type_name} {name} = {start.into(kind)}; {one.code} {symbol} {other.at(Level.SHIFT)}; {by}", counter

    def _fixed(self, node: ast.For, argument: ast.expr | None, e: Expression, label: str) -> Expression:
        """A bound of a range, which Python evaluates once: under a name where the loop could change it."""
        names = {n.id for n in ast.walk(argument) if isinstance(n, ast.Name)} if argument is not None else set()
        assigned = {n.id for s in [node.target, *node.body] for n in ast.walk(s) if is_stored(n)}
        if e.effect == Effect.NONE and not names & assigned:
            return e
        name = self.fresh(label)
        self.put(f"const {self.cpp_name(e.kind)} {name} = {e.into(e.kind)};")
        return Expression(name, Level.PRIMARY, e.kind, e.kind, e.range, e.natural)

    def _over_tuple(self, node: ast.For, name: str) -> tuple[str, Expression]:
        """The head of a loop over a tuple of constants."""
        values = self.value(node.iter)
        if not isinstance(values, tuple) or not values:
            raise self.refused(
                node, f"`for ... in {ast.unparse(node.iter)}`: C++ loops over a range or a tuple of numbers"
            )
        kinds = {e.kind for e in values}
        if len(kinds) > 1 or any(e.constant is None for e in values):
            raise self.refused(node, "a loop over a tuple takes constants of one type")
        (kind,) = kinds
        found = (min(e.range[0] for e in values), max(e.range[1] for e in values)) if kind.is_integer else None
        variable = self.scopes.of[id(node.target)]
        const = "const " if variable.counts else ""
        head = f"{const}{self.cpp_name(kind)} {name} : {{{', '.join(e.into(kind) for e in values)}}}"
        return head, Expression(name, Level.PRIMARY, kind, kind, found, all(e.natural for e in values))


def _step(name: str, step: Expression, down: bool) -> str:
    if step.constant is not None and abs(step.constant[0]) == 1:
        return f"--{name}" if down else f"++{name}"
    if down and step.constant is not None:
        return f"{name} -= {step.code.removeprefix('-')}"
    return f"{name} += {step.code}"


def _leaves(statements: list[ast.stmt]) -> bool:
    return isinstance(statements[-1], (ast.Return, ast.Break, ast.Continue))
