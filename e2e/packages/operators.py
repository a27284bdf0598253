"""Somebody who follows a guide for operators, on one machine or on several."""

from __future__ import annotations

import pathlib
import shutil

from guide import Block, Shell, blocks, pattern
from machine import Machine

# Stands in for scp between the machines of a test, which have no keys of each other: it puts the files where the
# reader takes them from.
SCP = """#!/bin/bash
set -eu
to="${@: -1}"
place="/var/tmp/scp/${to%%:*}/${to#*:}"
mkdir -p "$place"
cp -- "${@:1:$#-1}" "$place"
"""


class Operator:
    def __init__(self, *machines: Machine) -> None:
        self.machines = {machine.name: machine for machine in machines}
        for machine in machines:
            scp = machine.path("usr/local/bin/scp")
            scp.write_text(SCP)
            scp.chmod(0o755)

    def follow(self, guide: pathlib.Path) -> None:
        """Does everything that a guide tells, from its first command to its last, in a fresh terminal each."""
        shells: dict[str, Shell] = {}
        found = [block for block in blocks(guide.read_text()) if block.kind == "sh"]
        assert len(found) >= 3, f"{guide.name} is about doing something"
        try:
            for block in found:
                for name in block.where or list(self.machines)[:1]:
                    if name not in shells:
                        shells[name] = Shell(None, None, self.machines[name].inside)
                    self._do(guide, block, name, shells[name])
        except AssertionError:
            for machine in self.machines.values():
                print(f"-- the journal of {machine.name}\n{machine.journal('portolan')}")
            raise
        finally:
            for shell in shells.values():
                shell.close()

    def _do(self, guide: pathlib.Path, block: Block, name: str, shell: Shell) -> None:
        said = shell.run(block, lambda link: "")
        if block.expected is not None:
            said = said.lstrip("\n").rstrip("\n") + "\n"
            assert pattern(block.expected).fullmatch(said), (
                f"{guide.name}, line {block.line}, prints on {name}\n{said}\nand not\n{block.expected}"
            )
        sent = self.machines[name].path("var/tmp/scp")
        if sent.exists():
            for other in sent.iterdir():
                shutil.copytree(other, self.machines[other.name].path("root"), dirs_exist_ok=True)
            shutil.rmtree(sent)
