"""Every order of the requests of a few actors, up to a number of preemptions and kills: real code, a lake in memory.

Each order is played from its beginning. Actors run one after another, except where the order lets another actor
continue, or kills the running one. If the next request is for a path that no other actor uses, the order cannot matter,
and no order branches there. A single order can be played, too; its turns are then named by the requests before which
they come.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tests.harness.stepping import Around, Killed, Step, Stepper

MOST_STEPS = 400  # of one order: more means an endless loop


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn before a step: another actor continues, or the running one is killed.

    Attributes:
        step: number of the step, from 0, over all actors.
        to: the actor that continues; None to kill the running one.
    """

    step: int
    to: str | None


type Order = tuple[Turn, ...]
type Move = tuple[str, Step | Literal["ends", "dies"]]
"""An actor continues until it is about to make a request, or to its end; or it is killed."""


@dataclass(slots=True)
class Scene:
    """A scene, which is played once.

    Attributes:
        actors: by name; each gets the function to put around its requests.
        check_now: checks what must hold at every moment.
        check_end: checks what must hold when all actors have ended.
        redeliver: finishes the work of killed actors; called only if there are any.
        is_shared: returns whether more than one actor makes requests for a path.
    """

    actors: Mapping[str, Callable[[Around], Any]]
    check_now: Callable[[], None]
    check_end: Callable[[], None]
    redeliver: Callable[[], None]
    is_shared: Callable[[str], bool] = lambda path: not path.endswith(".partial")


class ViolationError(AssertionError):
    """Something that must hold does not."""


def explore(build: Callable[[], Scene], *, preemptions: int, kills: int = 0) -> int:
    """Play every order.

    Args:
        build: makes a new scene.
        preemptions: how often an actor may be interrupted by another one, at most.
        kills: how many actors may be killed, at most.

    Returns:
        The number of orders that were played.

    Raises:
        ViolationError: something does not hold; it names the order.
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
        scene: a new one.
        names: of the actors, in the order in which they run.
        order: the turns.

    Returns:
        The turns that can extend this order, all after its last turn.
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
    """Run the actors in this order until all have ended; return the turns that can extend it."""
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
        scene: a new one; an actor starts with its first move.
        moves: in order.

    Raises:
        ViolationError: something does not hold.
        LookupError: an actor ended before the request that a move names.
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
    """Finish the work of killed actors, and check what must hold at the end."""
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
