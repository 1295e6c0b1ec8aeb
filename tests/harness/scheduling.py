"""Distribution of tests to processes: tests that share an expensive part run in one process."""

from xdist.scheduler import LoadFileScheduling
from xdist.workermanage import WorkerController

# The files with the most work, so that none of them starts last. Only the order depends on this list.
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
    """A scheduler: a file runs in one process, as does all of `tests/infra`, which shares a compiler; longest first."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return "tests/infra" if file.startswith("tests/infra/") else file

    def _assign_work_unit(self, node: WorkerController) -> None:
        longest = next((scope for scope in LONGEST if scope in self.workqueue), None)
        if longest:
            self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)
