"""The functions, triggers only: decode, one call into the package, encode. See `pigment_export.app.functions`.

Nothing is read or built while the host indexes this file but the level of access that the decorators need.
"""

import typing

import azure.functions as func

from pigment_export import wiring

if typing.TYPE_CHECKING:
    from collections.abc import Callable

    from pigment_export.app.calls import HttpCall
    from pigment_export.app.http import HttpAnswer

app = func.FunctionApp(http_auth_level=func.AuthLevel[wiring.auth_level()])

Texts = func.Out[typing.List[str]]  # noqa: UP006 - the library refuses the built-in list


# Only a tick: the lake's clock and the catalog decide what is due, so the host need not remember when it fired last. A
# quarter of a minute late, since the lake's clock may be a little behind the host's.
@app.timer_trigger(arg_name="timer", schedule="15 */5 * * * *", use_monitor=False)
@app.queue_output(arg_name="messages", queue_name="%EXPORT_QUEUE%", connection="AzureWebJobsStorage")
def export_on_schedule(timer: func.TimerRequest, messages: Texts) -> None:  # noqa: ARG001 - the host passes it
    """Start what the schedules say is due; the next tick is the retry."""
    messages.set(wiring.on_schedule())


@app.timer_trigger(arg_name="timer", schedule="0 37 * * * *")
@app.queue_output(arg_name="messages", queue_name="%EXPORT_QUEUE%", connection="AzureWebJobsStorage")
def housekeeping(timer: func.TimerRequest, messages: Texts) -> None:  # noqa: ARG001 - the host passes it
    """Heal, end and sweep what no other call would."""
    messages.set(wiring.triggers().housekeeping())


@app.queue_trigger(arg_name="message", queue_name="%EXPORT_QUEUE%", connection="AzureWebJobsStorage")
def export_one(message: func.QueueMessage) -> None:
    """Deliver one export of a run; the message comes back where it fails for now."""
    wiring.triggers().export_one(_text(message))


@app.queue_trigger(arg_name="message", queue_name="%EXPORT_QUEUE%-poison", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="messages", queue_name="%EXPORT_QUEUE%", connection="AzureWebJobsStorage")
def record_poison(message: func.QueueMessage, messages: Texts) -> None:
    """Send an export that the queue has given up again while its run lasts, or settle it."""
    messages.set(wiring.triggers().record_poison(_text(message)))


@app.route(route="runs", methods=["POST"])
@app.queue_output(arg_name="messages", queue_name="%EXPORT_QUEUE%", connection="AzureWebJobsStorage")
def start_run(req: func.HttpRequest, messages: Texts) -> func.HttpResponse:
    """Start a run, or find it."""

    def start(call: "HttpCall") -> "HttpAnswer":
        answer, texts = call.start_run()
        messages.set(texts)
        return answer

    return _answer(req, start)


@app.route(route="runs", methods=["GET"])
def list_runs(req: func.HttpRequest) -> func.HttpResponse:
    """List recent runs."""
    return _answer(req, lambda call: call.list_runs())


@app.route(route="runs/{runId}", methods=["GET"])
def run_status(req: func.HttpRequest) -> func.HttpResponse:
    """Tell how far a run is."""
    return _answer(req, lambda call: call.run_status(req.route_params["runId"]))


@app.route(route="runs/{runId}/cancel", methods=["POST"])
def cancel_run(req: func.HttpRequest) -> func.HttpResponse:
    """Cancel a run."""
    return _answer(req, lambda call: call.cancel_run(req.route_params["runId"]))


@app.route(route="health", methods=["GET"])
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Tell whether the app is up; with `deep=true`, whether it can work."""
    return _answer(req, lambda call: call.health())


@app.route(route="status", methods=["GET"])
def status_page(req: func.HttpRequest) -> func.HttpResponse:
    """Show the status page."""
    return _answer(req, lambda call: call.status())


def _text(message: func.QueueMessage) -> str:
    return message.get_body().decode("utf-8", errors="replace")


def _answer(req: func.HttpRequest, make: "Callable[[HttpCall], HttpAnswer]") -> func.HttpResponse:
    """Decode a call and encode its answer; where a library is missing, the host would send an empty 500."""
    headers = {name.lower(): value for name, value in req.headers.items()}
    try:
        status, body, told, media_type = make(wiring.http_call(headers, dict(req.params), req.get_body()))
    except ImportError as exc:
        status, body, told, media_type = wiring.incomplete(exc)
    return func.HttpResponse(body, status_code=status, headers=dict(told), mimetype=media_type)
