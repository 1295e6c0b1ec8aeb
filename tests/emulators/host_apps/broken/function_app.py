"""A function app that can't be imported."""

import azure.functions as func
import there_is_no_such_module  # noqa: F401  the point of it

app = func.FunctionApp()


@app.route(route="runs")
def runs(req: func.HttpRequest) -> func.HttpResponse:  # noqa: ARG001  bound by its name
    return func.HttpResponse("never")
