"""A function app of timers without a status."""

import json
import logging

import azure.functions as func

app = func.FunctionApp()


@app.timer_trigger(arg_name="timer", schedule="*/30 * * * * *")
def often(timer: func.TimerRequest) -> None:
    logging.getLogger("app").info(json.dumps({"event": "often", "status": timer.schedule_status}))


@app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
def each_minute(timer: func.TimerRequest) -> None:
    logging.getLogger("app").info(json.dumps({"event": "each_minute", "status": timer.schedule_status}))


@app.timer_trigger(arg_name="timer", schedule="0 * * * * *", use_monitor=False)
def unmonitored(timer: func.TimerRequest) -> None:
    logging.getLogger("app").info(json.dumps({"event": "unmonitored", "status": timer.schedule_status}))


@app.timer_trigger(arg_name="timer", schedule="0 0 * * * *", run_on_startup=True)
def at_start(timer: func.TimerRequest) -> None:
    logging.getLogger("app").info(json.dumps({"event": "at_start", "status": timer.schedule_status}))
