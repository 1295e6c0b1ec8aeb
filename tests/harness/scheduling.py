"""How tests are shared out to processes: what is made once for many of them is made in one process alone."""

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

# Those with the most work, so that none of them is begun when all else is done. Only the order depends on it.
LONGEST = (
    "tests/infra",
    "tests/app/test_function_app.py",
    "tests/delivery/test_crashes.py",
    "tests/test_package.py",
    "tests/app/test_hostile.py",
    "tests/cli/test_commands.py",
    "tests/emulators/test_host.py",
    "tests/emulators/test_commands.py",
    "tests/delivery/test_interleavings.py",
    "tests/runs/test_interleavings.py",
    "tests/cli/test_newcomer.py",
    "tests/soak/test_soak.py",
    "tests/test_project.py",
)


class ByFile(LoadFileScheduling):
    """A file is tested in one process, as all of `tests/infra` is: they ask one compiler. The longest come first."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/infra" if file.startswith("tests/infra/") else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        longest = next((scope for scope in LONGEST if scope in self.workqueue), None)
        if longest:
            self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)
