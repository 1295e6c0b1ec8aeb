"""The functions, triggers only: decode, one call into the package, encode. See `pigment_export.app`.

While the host indexes this file, it reads only the auth level that the decorators need; the code of a function is
imported when it is called.
"""

import os
import threading
import typing
from datetime import timedelta

import azure.functions as func

from pigment_export import wiring
from pigment_export.environment import auth_level_of

if typing.TYPE_CHECKING:
    from collections.abc import Callable

    from pigment_export.app.calls import HttpCall
    from pigment_export.app.http import HttpAnswer
    from pigment_export.app.parts import App
    from pigment_export.runs.schedule import Look


class _App(func.FunctionApp):
    """The functions; after indexing, another thread imports what every call needs.

    The host is still busy before the first call. Importing this file starts nothing.
    """

    def get_functions(self) -> list[func.Function]:
        functions: list[func.Function] = super().get_functions()
        threading.Thread(target=wiring.import_ahead, name="imports").start()
        return functions


app = _App(http_auth_level=func.AuthLevel[auth_level_of(os.environ)])

Texts = func.Out[typing.List[str]]  # noqa: UP006 - the library rejects the built-in list


# Only a tick: the lake's clock and the catalog decide what is due, so the host keeps no state of it. A quarter of a
# minute late, because the lake's clock can be a little behind the host's.
@app.timer_trigger(arg_name="timer", schedule="15 */5 * * * *", use_monitor=False)
@app.queue_output(arg_name="messages", queue_name="%EXPORT_QUEUE%", connection="AzureWebJobsStorage")
def export_on_schedule(timer: func.TimerRequest, messages: Texts) -> None:  # noqa: ARG001 - the host passes it
    """Start the runs that are due; the next tick is the retry."""
    from pigment_export.app.triggers import serve, tick

    messages.set(serve("schedule", wiring.app, lambda app: tick(app, _start_due)))


@app.timer_trigger(arg_name="timer", schedule="0 37 * * * *")
@app.queue_output(arg_name="messages", queue_name="%EXPORT_QUEUE%", connection="AzureWebJobsStorage")
def housekeeping(timer: func.TimerRequest, messages: Texts) -> None:  # noqa: ARG001 - the host passes it
    """Repair claims, end runs, sweep staged files and delete old records."""
    from pigment_export.app.triggers import serve
    from pigment_export.runs.housekeeping import housekeeping

    def heal(app: "App") -> list[str]:
        hours, retention = app.settings.freshness_hours, timedelta(days=app.settings.retention_days)
        return housekeeping(app.runs, app.catalog, freshness_hours=hours, retention=retention)

    messages.set(serve("housekeeping", wiring.app, heal))


@app.queue_trigger(arg_name="message", queue_name="%EXPORT_QUEUE%", connection="AzureWebJobsStorage")
def export_one(message: func.QueueMessage) -> None:
    """Deliver one export of a run; if it fails for now, the message comes back."""
    from pigment_export.app.triggers import serve
    from pigment_export.runs.work import process_message

    serve("queue", wiring.app, lambda app: process_message(app.runs, _text(message)))


@app.queue_trigger(arg_name="message", queue_name="%EXPORT_QUEUE%-poison", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="messages", queue_name="%EXPORT_QUEUE%", connection="AzureWebJobsStorage")
def record_poison(message: func.QueueMessage, messages: Texts) -> None:
    """Handle a message that the queue has given up: send it again, or settle its export."""
    from pigment_export.app.triggers import serve
    from pigment_export.runs import work

    def record(app: "App") -> list[str]:
        return work.record_poison(app.runs, _text(message), queue=f"{app.settings.export_queue}-poison")

    messages.set(serve("poison", wiring.app, record))


@app.route(route="runs", methods=["POST"])
@app.queue_output(arg_name="messages", queue_name="%EXPORT_QUEUE%", connection="AzureWebJobsStorage")
def start_run(req: func.HttpRequest, messages: Texts) -> func.HttpResponse:
    """Start a run, or find it."""
    return _answer(req, lambda call: call.start_run(), messages)


@app.route(route="runs", methods=["GET"])
def list_runs(req: func.HttpRequest) -> func.HttpResponse:
    """List recent runs."""
    return _answer(req, lambda call: call.list_runs())


@app.route(route="runs/{runId}", methods=["GET"])
def run_status(req: func.HttpRequest) -> func.HttpResponse:
    """Return the progress of a run."""
    return _answer(req, lambda call: call.run_status(req.route_params["runId"]))


@app.route(route="runs/{runId}/cancel", methods=["POST"])
def cancel_run(req: func.HttpRequest) -> func.HttpResponse:
    """Cancel a run."""
    return _answer(req, lambda call: call.cancel_run(req.route_params["runId"]))


@app.route(route="health", methods=["GET"])
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Report whether the app is up; with `deep=true`, whether it can work."""
    return _answer(req, lambda call: call.health())


@app.route(route="status", methods=["GET"])
def status_page(req: func.HttpRequest) -> func.HttpResponse:
    """Show the status page."""

    def show(call: "HttpCall") -> "HttpAnswer":
        from pigment_export.app import page  # no other call imports the template library

        return call.status(page.answer)

    return _answer(req, show)


def _start_due(app: "App", look: "Callable[[], Look]", seen: "Look") -> list[str]:
    """Start what a tick has found due; most ticks find nothing and import no more."""
    from pigment_export.runs.tick import start_due

    return start_due(app.runs, look, seen, app.load_catalog)


def _text(message: func.QueueMessage) -> str:
    return message.get_body().decode("utf-8", errors="replace")


def _answer(
    req: func.HttpRequest, make: "Callable[[HttpCall], HttpAnswer]", messages: Texts | None = None
) -> func.HttpResponse:
    """Decode a call and encode its answer, even if a library is missing: the host would send an empty 500."""
    headers = {name.lower(): value for name, value in req.headers.items()}
    try:
        from pigment_export.app.calls import HttpCall

        answer = make(HttpCall(wiring.app, os.environ, headers, dict(req.params), req.get_body()))
    except ImportError as exc:
        from pigment_export.app.package import incomplete

        return func.HttpResponse(incomplete(exc), status_code=500, mimetype="application/problem+json")
    if messages is not None:
        messages.set(list(answer.messages))
    told = dict(answer.headers)
    return func.HttpResponse(answer.body, status_code=answer.status, headers=told, mimetype=answer.media_type)
