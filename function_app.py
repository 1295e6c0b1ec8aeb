"""The functions, triggers only: decode, one call into the package, encode. See `pigment_export.app.functions`.

Nothing is read or built while the host indexes this file but the level of access that the decorators need.
"""

import typing
from collections.abc import Callable

import azure.functions as func

from pigment_export import wiring

app = func.FunctionApp(http_auth_level=func.AuthLevel[wiring.auth_level()])

Texts = func.Out[typing.List[str]]  # noqa: UP006 - the library refuses the built-in list


@app.timer_trigger(arg_name="timer", schedule="%EXPORT_SCHEDULE%")
@app.retry(strategy="fixed_delay", max_retry_count="24", delay_interval="00:05:00")
@app.queue_output(arg_name="messages", queue_name="%EXPORT_QUEUE%", connection="AzureWebJobsStorage")
def export_on_schedule(timer: func.TimerRequest, messages: Texts) -> None:
    """Start the run of an occurrence; the host tries again for two hours where that fails."""
    messages.set(wiring.triggers().on_schedule(timer.schedule_status))  # type: ignore[attr-defined]  # the base class lacks it


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
def record_poison(message: func.QueueMessage) -> None:
    """Settle an export that the queue has given up."""
    wiring.triggers().record_poison(_text(message))


@app.route(route="runs", methods=["POST"])
@app.queue_output(arg_name="messages", queue_name="%EXPORT_QUEUE%", connection="AzureWebJobsStorage")
def start_run(req: func.HttpRequest, messages: Texts) -> func.HttpResponse:
    """Start a run, or find it."""

    def start() -> wiring.Answer:
        answer, texts = wiring.triggers().start_run(_headers(req), dict(req.params), req.get_body())
        messages.set(texts)
        return answer

    return _answer(start)


@app.route(route="runs", methods=["GET"])
def list_runs(req: func.HttpRequest) -> func.HttpResponse:
    """Recent runs."""
    return _answer(lambda: wiring.triggers().list_runs(_headers(req), dict(req.params)))


@app.route(route="runs/{runId}", methods=["GET"])
def run_status(req: func.HttpRequest) -> func.HttpResponse:
    """How far a run is."""
    run_id = req.route_params["runId"]
    return _answer(lambda: wiring.triggers().run_status(_headers(req), dict(req.params), run_id))


@app.route(route="health", methods=["GET"])
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Whether the app is up; with `deep=true`, whether it can work."""
    return _answer(lambda: wiring.triggers().health(_headers(req), dict(req.params)))


def _text(message: func.QueueMessage) -> str:
    return message.get_body().decode("utf-8", errors="replace")


def _headers(req: func.HttpRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in req.headers.items()}


def _answer(make: Callable[[], wiring.Answer]) -> func.HttpResponse:
    """Encode an answer; where a library is missing the app cannot make one, and the host would send an empty 500."""
    try:
        status, body, headers, media_type = make()
    except ImportError as exc:
        status, body, headers, media_type = wiring.incomplete(exc)
    return func.HttpResponse(body, status_code=status, headers=dict(headers), mimetype=media_type)
