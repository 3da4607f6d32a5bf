"""Random statements in which threads wait for each other, and random device functions."""

from __future__ import annotations

from random_expressions import ADD, BLOCK, OWN, READ, SEGMENT, THREAD, WARP
from random_statements import Statements


class Meetings(Statements):
    # -- threads together

    def _barrier(self) -> None:
        if not self.phases:
            self.put("cuda.syncthreads()")
            return
        kind = self.r.choice(["", "", "", "count", "and", "or"])
        target = self.r.choice(["u1", "t2"]) if "u1" in self.names else "t2"
        self.put(f"{target} = cuda.syncthreads_{kind}({self.test(THREAD)})" if kind else "cuda.syncthreads()")
        for array, phases in {"s": [OWN, READ, SEGMENT], "sf": [OWN, READ], "sa": [ADD, READ]}.items():
            if array in self.phase:
                self.phase[array] = self.r.choice(phases)

    def _count(self) -> None:
        target, _ = self.target()
        vote = f"cuda.syncthreads_{self.r.choice(['count', 'and', 'or'])}({self.test(THREAD)})"
        self.put(f"{target} = {self.r.choice([f'{vote} % 7', f'{self.leaf(BLOCK)} + {vote}', vote])}")

    def _syncwarp(self) -> None:
        self.put("cuda.syncwarp()")
        if self.phase.get("s") in (OWN, SEGMENT):
            self.phase["s"] = self.r.choice([OWN, SEGMENT])

    def _vote(self) -> None:
        target, who = self.target()
        vote = f"cuda.{self.r.choice(['any_sync', 'all_sync'])}(0xffffffff, {self.test(THREAD)})"
        if who == BLOCK:
            self.put(f"t2 = cuda.ballot_sync(0xffffffff, {self.test(THREAD)}) % 1009")
        elif self.chance(0.4):
            with self.inside(f"if {self.r.choice([vote, f'{self.test(WARP)} and {vote}', f'not {vote}'])}:", WARP):
                self.statements(self.r.randint(1, 2))
        else:
            ballot = f"cuda.ballot_sync(0xffffffff, {self.test(THREAD)}) % 1009"
            either = f"({self.leaf(WARP)} if {vote} else {self.leaf(WARP)})"
            self.put(f"{target} = {self.r.choice([ballot, either, f'int({vote})'])}")

    def _shuffle(self) -> None:
        if self.wild:
            return
        value, c = self.r.choice([self.leaf(THREAD), "t0", "t1"]), self.r.choice([1, 2, 4, 8, 16, 3, 31])
        operation, argument, source = self.r.choice(
            [
                ("shfl_up_sync", str(c), "0"), ("shfl_down_sync", str(c), f"tid + {c}"),
                ("shfl_xor_sync", str(c), f"(tid ^ {c})"),
                ("shfl_sync", f"(lane + {c}) % 32", f"tid // 32 * 32 + (lane + {c}) % 32"),
                ("shfl_sync", "0", "0"),
            ]
        )  # fmt: skip
        full = self.limit == self.threads and self.threads % 32 == 0
        kind = self.r.choice("tttfd") if self.kernel and "float" in self.uses else "t"
        if argument == "0" and "w0" in self.names:
            self.put(f"w0 = cuda.shfl_sync(0xffffffff, {value}, 0) % 1009")
        elif kind != "t":
            got, mine = f"{kind}x", f"{kind}{self.r.randint(0, 1)}"
            self.put(f"{got} = cuda.{operation}(0xffffffff, {kind}0, {argument})")
            self.put(f"{mine} = {got} if {source} < {self.limit} else {kind}1")
        elif full or source == "0":
            shuffle = f"cuda.{operation}(0xffffffff, {value}, {argument})"
            form = self.r.choice(["({} + {}) % 1009", "{0} * 3 % 97 - {1}", "min({}, {})"])
            self.put(f"t{self.r.randint(0, 2)} = {form.format(self.leaf(THREAD), shuffle)}")
        else:
            self.put(f"x = cuda.{operation}(0xffffffff, {value}, {argument})")
            self.put(f"t{self.r.randint(0, 2)} = x if {source} < {self.limit} else {self.leaf(THREAD)}")

    def _part(self) -> None:
        """Some lanes of each warp meet, and perhaps the others among themselves."""
        if self.wild or not self.kernel:
            return
        test, masks, distances = self.r.choice(
            [
                ("lane < 16", (0xFFFF, 0xFFFF0000), (1, 2, 4, 8)),
                ("lane % 2 == 0", (0x55555555, 0xAAAAAAAA), (2, 4, 8, 16)),
                ("lane & 4 != 4", (0x0F0F0F0F, 0xF0F0F0F0), (1, 2, 8, 16)),
            ]
        )
        for head, mask in zip((f"if {test}:", "else:")[: self.r.randint(1, 2)], masks, strict=False):
            with self.inside(head, THREAD):
                for _ in range(self.r.randint(1, 3)):
                    c = self.r.choice(distances)
                    self.put(f"x = cuda.shfl_xor_sync({mask:#x}, t0, {c})")
                    self.put(
                        f"t{self.r.randint(0, 1)} = (t1 + x) % 1009 "
                        f"if (tid ^ {c}) < {self.limit} else {self.small(THREAD)}"
                    )

    # -- device functions

    def _call(self) -> None:
        fitting = [d for d in self.devices if d[1] <= self.level]
        if not fitting:
            return
        name, level, returns = self.r.choice(fitting)
        arguments = [self.leaf(THREAD), self.leaf(THREAD), self.leaf(BLOCK), "xi"]
        if level == BLOCK:
            if not self.kernel and self.device_level < BLOCK:
                return
            arguments += ["s"]
        call = f"{name}({', '.join(arguments)})"
        target = f"t{self.r.randint(0, 2)}"
        after = OWN if level == BLOCK and "s" in self.phase else None
        if not returns:
            self.put(call)
        elif after is not None and self.phase["s"] != OWN:
            self.put(f"{target} = {call}")
        else:
            who = max(level, THREAD)
            forms = ["{t} = {c}", "{t} = ({c} + t1) % 97", "{t} = t0 * 2 % 97 + {c}", "{t} = min({c}, {c})"]
            forms += [f"{{t}} = {{c}} if {self.test(who)} else {self.leaf(THREAD)}", "{t} += {c} % 7"]
            self.put(self.r.choice(forms).format(t=target, c=call))
        if after is not None:
            self.phase["s"] = after

    def _device(self, name: str) -> None:
        """Write a device function: one that synchronises the block, or the warp, or nothing."""
        level = self.r.choice([THREAD, THREAD, WARP, BLOCK, BLOCK])
        self.returns = level != BLOCK or self.chance(0.7)
        self.device_level, self.level, self.may_return = level, level, True
        names = self.r.choice([("a", "b", "c"), ("t0", "i", "u0"), ("j", "t1", "k")])
        self.put(f"@cuda.jit{self.r.choice(['', '(device=True)'])}")
        self.put(f"def {name}({', '.join(names)}, xi{', s' if level == BLOCK else ''}):")
        self.depth = 1
        self.put(self.tid_line())
        self.put("lane = cuda.laneid" if self.chance(0.3) else "lane = tid % 32")
        for k, variable in enumerate(("t0", "t1", "t2")):
            if variable not in names:
                self.put(f"{variable} = {self.r.choice(names[:2])} + {k}")
        self.names = {"tid": THREAD, "lane": THREAD, "t0": THREAD, "t1": THREAD, "t2": THREAD}
        self.names |= {names[0]: THREAD, names[1]: THREAD, names[2]: BLOCK}
        self.busy = {v for v in names if v in "ijk"}
        self.phase = {}
        if level == BLOCK:
            self.put(f"u1 = {names[2]} % 5")
            self.names["u1"] = BLOCK
            if names[2] == "u0":
                self.names["u0"] = BLOCK
            self.put("cuda.syncthreads()")
            self.phase = {"s": OWN}
        self.exit_phase = dict(self.phase)
        self.budget = self.r.randint(1, 7)
        self.statements(7)
        if self.returns and self.chance(0.4):
            self.settle(self.exit_phase)
            with self.inside(f"if {self.test(THREAD)}:", THREAD):
                self.put(f"return {self.small(THREAD)}")
        self.settle(self.exit_phase)
        if self.returns:
            self.put(f"return {self.small(THREAD)}")
        self.depth = 0
        self.lines += ["", ""]
        self.devices.append((name, level, self.returns))
