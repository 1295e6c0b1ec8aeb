"""Alerts as Teams and Slack take them: what the Logic App of `infra/callers/chat.bicep` makes of an alert."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness.infra_expressions import FUNCTIONS, evaluate
from tests.harness.infra_templates import predicted, resources

WEBHOOK = "https://hooks.example.com/services/secret"
SECRET_URL = "https://kv-planning.vault.azure.net/secrets/pigment-chat-webhook"
LINK = "https://portal.azure.com/results"

# As https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema has it, of a log search alert.
ALERT: dict[str, Any] = {
    "schemaId": "azureMonitorCommonAlertSchema",
    "data": {
        "essentials": {
            "alertRule": "Pigment exports: export-failed",
            "severity": "Sev1",
            "monitorCondition": "Fired",
            "description": "Exports failed or are held. What to do: docs/alerts.md.",
        },
        "alertContext": {
            "condition": {
                "allOf": [
                    {
                        "dimensions": [
                            {"name": "class", "value": "pigment_unauthorized"},
                            {"name": "owner", "value": "finance@example.com"},
                        ],
                        "linkToFilteredSearchResultsUI": LINK,
                    }
                ]
            }
        },
    },
}
WITHOUT_DIMENSIONS = {"data": {"essentials": ALERT["data"]["essentials"], "alertContext": {"properties": {}}}}


def posted(alert: dict[str, Any], chat: str, folder: Path) -> dict[str, Any]:
    """What the Logic App sends for an alert."""
    given = {"location": "westeurope", "chat": chat, "webhookSecretUrl": SECRET_URL}
    made = predicted("callers/chat.bicep", given, folder)["predictedResources"]
    [workflow] = [one for one in made if one["type"] == "Microsoft.Logic/workflows"]
    actions = workflow["properties"]["definition"]["actions"]
    bodies: dict[str, Any] = {"Read_webhook": {"value": WEBHOOK}}
    functions = {**FUNCTIONS, "triggerBody": lambda: alert, "body": lambda name: bodies[name]}
    select = actions["Dimensions"]["inputs"]
    rows = evaluate(select["from"], functions)
    bodies["Dimensions"] = [evaluate(select["select"], {**functions, "item": lambda row=row: row}) for row in rows]
    post = actions["Post"]["inputs"]
    assert evaluate(post["uri"], functions) == WEBHOOK

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(member) for name, member in value.items()}
        return [filled(member) for member in value] if isinstance(value, list) else evaluate(value, functions)

    return dict(filled(post["body"]))


def test_slack_is_sent_one_text(tmp_path: Path) -> None:
    body = posted(ALERT, "slack", tmp_path)
    assert set(body) == {"text"}
    assert body["text"].startswith("Fired: Pigment exports: export-failed (Sev1)")
    assert "owner: finance@example.com" in body["text"]
    assert body["text"].endswith(LINK)


def test_teams_is_sent_a_card(tmp_path: Path) -> None:
    body = posted(ALERT, "teams", tmp_path)
    [attachment] = body["attachments"]
    assert (body["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    [block] = attachment["content"]["body"]
    assert "owner: finance@example.com" in block["text"]


@pytest.mark.parametrize("chat", ["teams", "slack"])
def test_an_alert_without_dimensions_is_sent_as_well(chat: str, tmp_path: Path) -> None:
    """As Key Vault's own announcement of an expiry."""
    assert "export-failed" in json.dumps(posted(WITHOUT_DIMENSIONS, chat, tmp_path))


def test_the_webhooks_address_stays_in_the_vault() -> None:
    [workflow] = resources("chat", "Microsoft.Logic/workflows")
    actions = workflow["properties"]["definition"]["actions"]
    for name in ("Read_webhook", "Post"):
        assert actions[name]["runtimeConfiguration"]["secureData"]["properties"] == ["inputs", "outputs"]
    [group] = resources("chat", "Microsoft.Insights/actionGroups")
    assert len(group["properties"]["groupShortName"]) <= 12
    [receiver] = group["properties"]["logicAppReceivers"]
    assert receiver["useCommonAlertSchema"] is True
    assert receiver["resourceId"] == workflow["id"]
