"""The functions, triggers only: decode, one call into the package, encode. See `pigment_export.app.functions`.

Nothing is read or built while the host indexes this file but the level of access that the decorators need.
"""

import typing
from collections.abc import Mapping

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
def tend(timer: func.TimerRequest, messages: Texts) -> None:  # noqa: ARG001 - the host passes it
    """Heal, end and sweep what nobody else would."""
    messages.set(wiring.triggers().tend())


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
    answer, texts = wiring.triggers().start_run(_headers(req), req.get_body())
    messages.set(texts)
    return _response(*answer)


@app.route(route="runs", methods=["GET"])
def list_runs(req: func.HttpRequest) -> func.HttpResponse:
    """Recent runs."""
    return _response(*wiring.triggers().list_runs(_headers(req)))


@app.route(route="runs/{runId}", methods=["GET"])
def run_status(req: func.HttpRequest) -> func.HttpResponse:
    """How far a run is."""
    return _response(*wiring.triggers().run_status(_headers(req), req.route_params["runId"]))


@app.route(route="health", methods=["GET"])
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Whether the app is up; with `deep=true`, whether it can work."""
    return _response(*wiring.triggers().health(_headers(req), deep=req.params.get("deep", "").lower() == "true"))


def _text(message: func.QueueMessage) -> str:
    return message.get_body().decode("utf-8", errors="replace")


def _headers(req: func.HttpRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in req.headers.items()}


def _response(status: int, body: bytes, headers: Mapping[str, str], media_type: str) -> func.HttpResponse:
    return func.HttpResponse(body, status_code=status, headers=dict(headers), mimetype=media_type)
