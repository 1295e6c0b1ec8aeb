"""Every order of a few actors' requests, up to so many preemptions and kills: the real code, a lake in memory.

An order is made again from its beginning each time: actors run one after another, but where the order says that another
goes on, or that the one at work dies. Where the next request concerns a path that no other actor asks for, nothing can
differ, and no order branches there. One order can be played by itself, too, its turns named by the requests before
which they come.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tests.harness.stepping import Around, Killed, Step, Stepper

MOST_STEPS = 400  # of one order: more is a loop


@dataclass(frozen=True, slots=True)
class Turn:
    """Before a step of an order, another actor goes on, or the one at work dies.

    Attributes:
        step: its number, from 0, over all actors.
        to: who goes on; None where the one at work dies.
    """

    step: int
    to: str | None


type Order = tuple[Turn, ...]
type Move = tuple[str, Step | Literal["ends", "dies"]]
"""An actor goes on until it is about to make a request, or to its end; or it dies."""


@dataclass(slots=True)
class Scene:
    """What is played once.

    Attributes:
        actors: by name; each gets the function to put around its requests.
        check_now: what holds at every moment.
        check_end: what holds when all have ended.
        redeliver: what brings the work of those who died to its end; not called where none has.
        is_shared: whether requests for a path concern more than one actor.
    """

    actors: Mapping[str, Callable[[Around], Any]]
    check_now: Callable[[], None]
    check_end: Callable[[], None]
    redeliver: Callable[[], None]
    is_shared: Callable[[str], bool] = lambda path: not path.endswith(".partial")


class ViolationError(AssertionError):
    """Something that must hold did not."""


def explore(build: Callable[[], Scene], *, preemptions: int, kills: int = 0) -> int:
    """Play every order.

    Args:
        build: makes the scene anew.
        preemptions: at most so many times an actor is left before it has ended.
        kills: at most so many die.

    Returns:
        How many orders were played.

    Raises:
        ViolationError: with the order in which something did not hold.
    """
    played = 0
    for names in itertools.permutations(build().actors):
        orders: list[tuple[Order, int, int]] = [((), preemptions, kills)]
        while orders:
            order, more_turns, more_kills = orders.pop()
            branches = play(build(), names, order)
            played += 1
            for turn in branches:
                if turn.to is None and more_kills:
                    orders.append(((*order, turn), more_turns, more_kills - 1))
                elif turn.to is not None and more_turns:
                    orders.append(((*order, turn), more_turns - 1, more_kills))
    return played


def play(scene: Scene, names: tuple[str, ...], order: Order) -> list[Turn]:
    """Play one order to its end.

    Args:
        scene: as built.
        names: of the actors: who goes first, and who follows where one has ended.
        order: the turns.

    Returns:
        Where an order that goes on from this one may branch: after its last turn.
    """
    at_work = {name: Stepper(scene.actors[name]) for name in names}
    try:
        branches = _played(scene, at_work, order)
        _judge(scene, at_work)
    except AssertionError as error:
        raise ViolationError(f"{error}\nof {names}, in the order {order}") from error
    finally:
        for stepper in at_work.values():
            stepper.kill()
    return branches


def _played(scene: Scene, at_work: dict[str, Stepper], order: Order) -> list[Turn]:
    """Let the actors go on in their order until all have ended; returns where it may branch."""
    turns = {turn.step: turn for turn in order}
    last = order[-1].step if order else -1
    branches: list[Turn] = []
    current = next(iter(at_work))
    for step in range(MOST_STEPS):
        turn = turns.get(step)
        if turn is not None and turn.to is None:
            at_work[current].kill()
        elif turn is not None and turn.to is not None:
            current = turn.to
        waiting = [name for name, stepper in at_work.items() if not stepper.finished]
        if not waiting:
            return branches
        current = current if current in waiting else waiting[0]
        if step > last and scene.is_shared(at_work[current].next_path):
            branches += [Turn(step, name) for name in waiting if name != current]
            branches.append(Turn(step, None))
        at_work[current].step()
        scene.check_now()
    raise AssertionError("it never ends")


def direct(scene: Scene, *moves: Move) -> None:
    """Play one order.

    Args:
        scene: as built; an actor begins with its first move.
        moves: one after another.

    Raises:
        ViolationError: something did not hold.
        LookupError: an actor ended before it came to the request that a move names.
    """
    at_work: dict[str, Stepper] = {}
    try:
        for name, until in moves:
            stepper = at_work.get(name) or at_work.setdefault(name, Stepper(scene.actors[name]))
            if until == "dies":
                stepper.kill()
            while not (stepper.finished or (isinstance(until, Step) and stepper.is_at(until))):
                stepper.step()
                scene.check_now()
            if isinstance(until, Step) and not stepper.is_at(until):
                raise LookupError(f"{name} never came to {until}: {stepper.error!r}")
        _judge(scene, at_work)
    except AssertionError as error:
        raise ViolationError(f"{error}\nin the order {moves}") from error
    finally:
        for stepper in at_work.values():
            stepper.kill()


def _judge(scene: Scene, at_work: Mapping[str, Stepper]) -> None:
    """Let those who died be followed up, and check what holds at the end."""
    raised = {name: stepper.error for name, stepper in at_work.items() if not isinstance(stepper.error, Killed)}
    assert set(raised.values()) <= {None}, f"raised: {raised}"
    if any(isinstance(stepper.error, Killed) for stepper in at_work.values()):
        scene.redeliver()
    scene.check_end()


def first_violation(build: Callable[[], Scene], *, preemptions: int, kills: int = 0) -> ViolationError | None:
    """Return the first order in which something does not hold, if there is one; see `explore`."""
    try:
        explore(build, preemptions=preemptions, kills=kills)
    except ViolationError as violation:
        return violation
    return None
