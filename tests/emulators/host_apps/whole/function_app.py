"""A function app of every kind that the host stand-in does: what it is told it logs, what it is asked it does."""

import json
import logging
import os
import sys
import threading
import typing

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

_RELEASED = threading.Event()
_TEXTS = {
    "exact": ['{"b": 1,  "a": 2}', "[1, 2]", "häßlich\n", " "],
    "none": [],
}


def told(**facts: object) -> None:
    logging.getLogger("app").info(json.dumps(facts))


def obey(order: str) -> None:
    """Do what a message or a request asks for."""
    match order:
        case "fail":
            raise RuntimeError("as asked")
        case "block":
            told(event="blocked")
            threading.Event().wait()
        case "hold":
            _RELEASED.wait()
        case "release":
            _RELEASED.set()
        case "exit":
            sys.exit(3)


@app.timer_trigger(arg_name="timer", schedule="%EXPORT_SCHEDULE%")
@app.queue_output(arg_name="messages", queue_name="%EXPORT_QUEUE%", connection="AzureWebJobsStorage")
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:05:00")
def on_schedule(timer: func.TimerRequest, messages: func.Out[typing.List[str]], context: func.Context) -> None:  # noqa: UP006  the library refuses list
    retry = context.retry_context
    told(
        event="timer",
        status=timer.schedule_status,
        past_due=timer.past_due,
        id=context.invocation_id,
        retry=[retry.retry_count, retry.max_retry_count],
    )
    messages.set(["from the timer"])
    obey(os.environ.get("ON_SCHEDULE", ""))


@app.timer_trigger(arg_name="timer", schedule="0 37 * * * *")
def hourly(timer: func.TimerRequest) -> None:
    told(event="hourly", status=timer.schedule_status)


@app.route(route="runs", methods=["POST"])
@app.queue_output(arg_name="messages", queue_name="%EXPORT_QUEUE%", connection="AzureWebJobsStorage")
def start(req: func.HttpRequest, messages: func.Out[typing.List[str]]) -> func.HttpResponse:  # noqa: UP006  as above
    asked = req.get_json()
    messages.set(_TEXTS.get(asked["texts"], [asked["texts"]]))
    obey(asked.get("order", ""))
    headers = {"Location": "/api/runs/1", "Retry-After": "5", "ETag": '"1"', "Cache-Control": "no-store"}
    return func.HttpResponse("{}", status_code=202, headers=headers, mimetype="application/json")


@app.route(route="runs/{id}", methods=["GET"])
def look(req: func.HttpRequest) -> func.HttpResponse:
    seen = {
        "method": req.method,
        "url": req.url,
        "id": req.route_params["id"],
        "headers": dict(req.headers),
        "query": dict(req.params),
    }
    return func.HttpResponse(json.dumps(seen), status_code=409, mimetype="application/json")


@app.route(route="runs/recent", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def recent(req: func.HttpRequest) -> str:  # noqa: ARG001  bound by its name
    return "recent"


@app.route(route="echo", methods=["PUT"], auth_level=func.AuthLevel.ADMIN)
def echo(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.get_body())


@app.route(route="none")
def none(req: func.HttpRequest) -> func.HttpResponse:
    return {"dict": {}, "none": None}[req.params["of"]]


@app.route(route="single", methods=["POST"])
@app.queue_output(arg_name="message", queue_name="single", connection="AzureWebJobsStorage")
def single(req: func.HttpRequest, message: func.Out[str]) -> func.HttpResponse:
    message.set(req.get_body().decode())
    return func.HttpResponse(status_code=204)


@app.route(route="bytes", methods=["POST"])
@app.queue_output(arg_name="message", queue_name="single", connection="AzureWebJobsStorage")
def in_bytes(req: func.HttpRequest, message: func.Out[bytes]) -> func.HttpResponse:
    message.set(req.get_body())
    response = func.HttpResponse(status_code=req.params.get("status", 200))
    response.headers.add("Set-Cookie", "a=b; Path=/")
    return response


@app.queue_trigger(arg_name="message", queue_name="%EXPORT_QUEUE%", connection="AzureWebJobsStorage")
def work(message: func.QueueMessage) -> None:
    text = message.get_body().decode()
    told(
        event="work",
        text=text,
        id=message.id,
        count=message.dequeue_count,
        inserted=str(message.insertion_time),
        receipt=bool(message.pop_receipt),
    )
    obey(text)


@app.queue_trigger(arg_name="message", queue_name="%EXPORT_QUEUE%-poison", connection="AzureWebJobsStorage")
def poison(message: func.QueueMessage) -> None:
    told(event="poison", text=message.get_body().decode(), id=message.id, count=message.dequeue_count)
    if os.environ.get("POISON_FAILS"):
        raise RuntimeError("as asked")
