"""A function app of which only one function is in order."""

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.timer_trigger(arg_name="timer", schedule="every day")
def bad_schedule(timer: func.TimerRequest) -> None: ...


@app.queue_trigger(arg_name="message", queue_name="%NOT_SET%", connection="AzureWebJobsStorage")
def unresolved(message: func.QueueMessage) -> None: ...


@app.queue_trigger(arg_name="message", queue_name="Not_A_Queue", connection="AzureWebJobsStorage")
def bad_queue(message: func.QueueMessage) -> None: ...


@app.queue_trigger(arg_name="the_message", queue_name="good", connection="AzureWebJobsStorage")
def bad_binding_name(the_message: func.QueueMessage) -> None: ...


@app.timer_trigger(arg_name="timer", schedule="0 0 6 * * *")
@app.retry(
    strategy="exponential_backoff", max_retry_count="2", minimum_interval="00:00:10", maximum_interval="00:05:00"
)
def backs_off(timer: func.TimerRequest) -> None: ...


@app.queue_trigger(arg_name="message", queue_name="good", connection="AzureWebJobsStorage")
@app.retry(strategy="fixed_delay", max_retry_count="2", delay_interval="00:00:10")
def retried_queue(message: func.QueueMessage) -> None: ...


@app.blob_trigger(arg_name="blob", path="a/{name}", connection="AzureWebJobsStorage")
def of_a_blob(blob: func.InputStream) -> None: ...


@app.timer_trigger(arg_name="timer", schedule="0 0 6 * * *")
@app.blob_output(arg_name="blob", path="a/b", connection="AzureWebJobsStorage")
def to_a_blob(timer: func.TimerRequest, blob: func.Out[str]) -> None: ...


@app.route(route="admin/mine")
def reserved(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001  bound by its name
    return func.HttpResponse("never")


@app.route(route="good")
def good(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001  bound by its name
    return func.HttpResponse("good")
