// Alerts as messages in Teams or Slack: an action group, and a Logic App that converts its alerts into their JSON format.
// The webhook's address is a secret: it stays in a vault, and the Logic App reads it there with its identity.
@description('Name of the Logic App.')
param name string = 'logic-pigment-alerts'

@description('Region.')
param location string = resourceGroup().location

@description('Kind of the webhook: a Teams workflow "when a webhook request is received", or a Slack incoming webhook.')
param chat 'teams' | 'slack'

@description('Address of the secret with the webhook\'s address, for example https://VAULT.vault.azure.net/secrets/pigment-chat-webhook.')
param webhookSecretUrl string

// What an alert says in the common schema: https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-common-schema
var essentials = 'triggerBody()?[\'data\']?[\'essentials\']'
var condition = 'triggerBody()?[\'data\']?[\'alertContext\']?[\'condition\']?[\'allOf\']?[0]'
var title = '@{${essentials}?[\'monitorCondition\']}: @{${essentials}?[\'alertRule\']} (@{${essentials}?[\'severity\']})'
var details = '@{join(body(\'Dimensions\'), \', \')}'
var text = '${title}\n\n@{${essentials}?[\'description\']}\n\n${details}\n\n@{${condition}?[\'linkToFilteredSearchResultsUI\']}'
var block = { type: 'TextBlock', wrap: true, text: text }
var card = { type: 'AdaptiveCard', version: '1.4', body: [block] }
var bodies = {
  slack: { text: text }
  teams: { type: 'message', attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', content: card }] }
}
var hidden = { secureData: { properties: ['inputs', 'outputs'] } }

resource workflow 'Microsoft.Logic/workflows@2019-05-01' = {
  name: name
  location: location
  identity: { type: 'SystemAssigned' }
  properties: {
    definition: {
      '$schema': 'https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#'
      contentVersion: '1.0.0.0'
      triggers: { Alert: { type: 'Request', kind: 'Http', inputs: {} } }
      actions: {
        Read_webhook: {
          type: 'Http'
          inputs: {
            method: 'GET'
            uri: '${webhookSecretUrl}?api-version=7.4'
            authentication: {
              type: 'ManagedServiceIdentity'
              audience: 'https://${join(skip(split(split(webhookSecretUrl, '/')[2], '.'), 1), '.')}'
            }
          }
          runtimeConfiguration: hidden
          runAfter: {}
        }
        Dimensions: {
          type: 'Select'
          inputs: {
            from: '@coalesce(${condition}?[\'dimensions\'], json(\'[]\'))'
            select: '@concat(item()[\'name\'], \': \', item()[\'value\'])'
          }
          runAfter: { Read_webhook: ['Succeeded'] }
        }
        Post: {
          type: 'Http'
          inputs: {
            method: 'POST'
            uri: '@body(\'Read_webhook\')[\'value\']'
            headers: { 'Content-Type': 'application/json' }
            body: bodies[chat]
          }
          runtimeConfiguration: hidden
          runAfter: { Dimensions: ['Succeeded'] }
        }
      }
    }
  }
}

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-${name}'
  location: 'global'
  properties: {
    enabled: true
    groupShortName: 'pigment-chat'
    logicAppReceivers: [
      {
        name: chat
        resourceId: workflow.id
        callbackUrl: listCallbackUrl('${workflow.id}/triggers/Alert', '2019-05-01').value
        useCommonAlertSchema: true
      }
    ]
  }
}

@description('Object id of the Logic App\'s identity: give it Key Vault Secrets User on the secret.')
output principalId string = workflow.identity.principalId

@description('Id of the action group, for ALERT_ACTION_GROUP_ID or a route.')
output actionGroupId string = group.id
