"""Random statements of random kernels.

Where threads wait, control flow leads all of them there, or the others have returned. Each array in shared memory is in
a phase: threads keep to their OWN elements, all READ, warps read their SEGMENT, or all ADD atomically; only a barrier
changes it.
"""

from __future__ import annotations

from random_expressions import ADD, BLOCK, OWN, SIZE, THREAD, WARP, Expressions


class Statements(Expressions):
    # -- statements

    def statements(self, count: int) -> None:
        for _ in range(count):
            if self.budget > 0:
                self.budget -= 1
                self.statement()

    def statement(self) -> None:
        kinds = ["assign"] * 5 + ["choose"] * 2 + ["shared"] * 3 + ["leave"]
        kinds += ["loop"] * 2 if self.nesting < 4 else []
        kinds += ["memory", "atomic", "stride", "branch"] if self.kernel else ["branch"]
        kinds += ["real"] if self.kernel and "float" in self.uses else []
        kinds += ["leave_function"] if self.may_return else []
        kinds += ["call"] if self.devices else []
        if self.level >= WARP:
            kinds += ["syncwarp", "vote", "vote", "shuffle", "shuffle", "part"]
        if self.level == BLOCK:
            kinds += ["barrier"] * 4 + ["count"]
        getattr(self, f"_{self.r.choice(kinds)}")()

    def target(self) -> tuple[str, int]:
        """A variable that can be assigned to here, and who must agree on its value."""
        found = [(v, THREAD) for v in ("t0", "t1", "t2")]
        found += [("w0", WARP)] * 2 if self.level >= WARP and "w0" in self.names else []
        found += [(v, BLOCK) for v in ("u0", "u1") if v in self.names] * 2 if self.level == BLOCK else []
        return self.r.choice(found)

    def _assign(self) -> None:
        target, who = self.target()
        form = self.r.choice(["{v} = {e}", "{v} = {e}", "{v} += {e}", "{v} = {v} + {e}", "{v} ^= {g}", "{v} = {g}"])
        self.put(form.format(v=target, e=self.small(who), g=f"{self.integer(who)} & 255"))
        if "=" in form and "{v} +" in form:
            self.put(f"{target} %= 4099")
        if self.kernel and self.chance(0.15):
            forms = ["t0, t1 = t1, t0", f"t0 = t2 = {self.leaf(BLOCK)}"]
            forms += [f"pair = (t1, {self.small(THREAD)})", "t2, t1 = pair"] if "pair" in self.uses else []
            self.put(self.r.choice(forms))

    def _real(self) -> None:
        kind = self.r.choice("fd")
        if kind == "f" and self.phase.get("sf") == OWN and self.chance(0.4):
            self.put(f"sf[tid] = {self.real('f')}")
            return
        self.put(f"{kind}{self.r.randint(0, 1)} = {self.real(kind)}")

    def _memory(self) -> None:
        index = f"{self.leaf(THREAD)} % 4"
        forms = [f"oi[g, 5] += {self.small(THREAD, 1)}", f"oi[g, {self.r.randint(3, 4)}] = {self.small(THREAD)}"]
        if "loc" in self.uses:
            forms += [f"loc[{index}] = {self.small(THREAD)}", f"loc[{index}] += {self.small(THREAD, 1)}"]
        self.put(self.r.choice(forms))

    def _atomic(self) -> None:
        if self.phase.get("sa") == ADD and self.chance(0.6):
            self.put(f"cuda.atomic.add(sa, {self.leaf(THREAD)} % 8, {self.small(THREAD, 1)})")
        elif self.phase.get("s") == OWN and self.chance(0.4):
            self.put(f"t1 = cuda.atomic.exch(s, tid, {self.small(THREAD, 1)}) % 97")
        else:
            row, operation = self.r.choice([(0, "add"), (1, "max"), (2, "min")])
            self.put(f"cuda.atomic.{operation}(ga, ({row}, {self.leaf(THREAD)} % 8), {self.small(THREAD, 1)})")

    def _shared(self) -> None:
        if self.phase.get("s") == OWN:
            index = self.r.choice(["tid", f"tid - {self.elements}"])
            self.put(f"s[{index}] {self.r.choice(['=', '=', '+='])} {self.small(THREAD)}")
            self.put("s[tid] %= 4099")
        else:
            self._assign()

    def _branch(self) -> None:
        """A variable that lives in one branch, under a name that others use as well."""
        with self.inside(f"if {self.test(THREAD)}:", THREAD):
            self.put(f"q = {self.small(self.r.choice([THREAD, BLOCK]))}")
            self.names["q"] = THREAD
            self.statements(self.r.randint(1, 2))
            self.put(f"t{self.r.randint(0, 2)} = q + {self.leaf(THREAD)} % 13")

    def _choose(self) -> None:
        level = self.r.randint(THREAD, self.level)
        with self.inside(f"if {self.test(level)}:", level):
            self.statements(self.r.randint(1, 3))
        if self.chance(0.25):
            with self.inside(f"elif {self.test(level)}:", level):
                self.statements(self.r.randint(1, 2))
        if self.chance(0.5):
            with self.inside("else:", level):
                self.statements(self.r.randint(1, 3))

    def _loop(self) -> None:
        level = self.r.randint(THREAD, self.level)
        free = [v for v in "ijk" if v not in self.busy]
        if not free:
            return
        variable, step = self.r.choice(free), self.r.choice(["1", "2", *(["m", "(m + 1)"] if self.kernel else [])])
        start, stop = self.small(level, 1), f"{self.integer(level, 1)} % {self.r.randint(2, 9)}"
        form = self.r.choice(["range1", "range2", "range3", "down", "tuple", "while", "while", "vote"])
        constants = ", ".join(str(self.r.choice([1, 2, 4, 8, 16])) for _ in range(self.r.randint(1, 4)))
        once, saved = [], self.names.get(variable)
        if form == "vote" and (level == THREAD or not self.kernel):
            form = "while"
        if form == "vote":
            vote = "cuda.syncthreads_or(" if level == BLOCK else "cuda.any_sync(0xffffffff, "
            self.put(f"{variable} = 0")
            self.names[variable] = level
            head = f"while {variable} < {self.r.randint(1, 4)} and {vote}{self.test(THREAD)}):"
            once = [f"{variable} += 1"]
        elif form == "while":
            self.put(f"{variable} = {self.integer(level, 1)} % 5")
            head, once = f"while {variable} < {stop}:", [f"{variable} += {step}"]
        else:
            head = (
                f"for {variable} in "
                + {
                    "range1": f"range({stop}):",
                    "range2": f"range({self.r.randint(-2, 3)}, {stop}):",
                    "range3": f"range({start} % 4, {stop}, {step}):",
                    "down": f"range({stop}, {self.r.randint(-3, 2)}, -{self.r.randint(1, 3)}):",
                    "tuple": f"({constants},):",
                }[form]
            )
        self.busy.add(variable)
        if form == "while" and self.chance(0.15):  # a loop around it, which finds the counter where it was left
            with self.inside(f"for e in range({self.r.randint(1, 3)}):", level):
                self._loop_of(head, variable, level, once)
        else:
            self._loop_of(head, variable, level, once)
        self.busy.remove(variable)
        self.names.pop(variable, None)
        if saved is not None:
            self.names[variable] = THREAD

    def _loop_of(self, head: str, variable: str, level: int, once: list[str]) -> None:
        with self.inside(head, level):
            self.names[variable] = level
            self.loops.append((level, dict(self.phase), once))
            self.statements(self.r.randint(1, 4))
            self.loops.pop()
            for line in once:
                self.put(line)

    def _leave(self) -> None:
        """``break`` or ``continue``, where all those that wait in the loop leave together."""
        if not self.loops or self.level < self.loops[-1][0]:
            return
        level, phase, once = self.loops[-1]
        with self.inside(f"if {self.test(level)}:", level):
            self.statements(self.r.randint(0, 1))
            self.settle(phase)
            if self.chance(0.5):
                for line in once:
                    self.put(line)
                self.put("continue")
            else:
                self.put("break")

    def _leave_function(self) -> None:
        if self.kernel:
            self._leave_kernel()
            return
        level = THREAD if self.device_level == THREAD else self.level
        if level < self.device_level:
            return
        with self.inside(f"if {self.test(level)}:", level):
            self.statements(self.r.randint(0, 1))
            self.settle(self.exit_phase)
            self.put(f"return {self.small(THREAD)}" if self.returns else "return")

    def _leave_kernel(self) -> None:
        if not self.wild and (self.loops or self.level == THREAD):
            return  # the lanes that are left would not be the first ones
        if self.wild:
            test = self.test(self.r.randint(THREAD, self.level))
        else:
            self.limit = min(self.limit, self.r.randint(1, self.threads))
            test = self.r.choice(["tid >= {}", "{} <= tid", "not tid < {}"]).format(self.limit)
        with self.inside(f"if {test}:", THREAD):
            self.put(f"oi[g, 6] = {self.small(THREAD)}")
            self.put("return")

    def _stride(self) -> None:
        """A loop over elements that are a thread's own, or only read."""
        free = [v for v in "ijk" if v not in self.busy]
        if not free:
            return
        variable = self.r.choice(free)
        known = self.names.get(variable)
        forms = [("g", "go.size", "total"), ("tid", str(SIZE), self.r.choice([str(self.threads), "5", "(m + 2)"]))]
        if self.is_line and self.grid[1] == 1:
            forms[0] = (self.r.choice(["g", "cuda.grid(1)"]), "go.size", self.r.choice(["total", "cuda.gridsize(1)"]))
        if self.phase.get("s") == OWN:
            forms.append(
                (
                    self.r.choice(["tid", "cuda.threadIdx.x"]) if self.is_line else "tid",
                    str(self.elements),
                    str(self.threads),
                )
            )
        start, stop, step = self.r.choice(forms)
        counts = self.chance(0.5)
        if counts:
            self.put(f"{variable} = {start}")
        self.busy.add(variable)
        head = f"while {variable} < {stop}:" if counts else f"for {variable} in range({start}, {stop}, {step}):"
        with self.inside(head, THREAD):
            self.names[variable] = THREAD
            if stop == "go.size":
                self.put(f"go[{variable}] = go[{variable}] % 1009 + {self.small(THREAD)}")
            elif stop == str(self.elements) and self.phase.get("s") == OWN and step == str(self.threads):
                self.put(f"s[{variable}] = (s[{variable}] + {self.small(THREAD)}) % 1009")
            else:
                self.put(f"t0 = (t0 + xi[{variable}]) % 211")
            self.loops.append((THREAD, dict(self.phase), [f"{variable} += {step}"] if counts else []))
            self.statements(self.r.randint(0, 2))
            self.loops.pop()
            if counts:
                self.put(f"{variable} += {step}")
        self.busy.remove(variable)
        if known is not None:
            self.names[variable] = THREAD
