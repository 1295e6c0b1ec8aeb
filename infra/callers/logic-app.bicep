// A Logic App: starts a run on its own schedule, waits for its end, and fails if the run failed. It has no other trigger.
// It authenticates with a function key, which it reads from a vault (its identity needs Key Vault Secrets User on that
// secret), or with a token (its identity must be listed in the app's `callers.applications`). Both need the identity to
// exist, so deploy it with state=Disabled first.
@description('Name of the Logic App.')
param name string = 'logic-pigment-exports'

@description('Region.')
param location string = resourceGroup().location

@description('Disabled until its identity has access; then Enabled.')
param state ('Enabled' | 'Disabled') = 'Enabled'

@description('Address of the function app: the output appUrl.')
param appUrl string

@description('Address of the secret with the function key, for example https://VAULT.vault.azure.net/secrets/pigment-exports-caller.')
param keySecretUrl string = ''

@description('Instead of a key: client id of the function app\'s app registration (its callers.clientId).')
param clientId string = ''

@description('Names of exports. Default: those of the groups, or all enabled exports.')
param exports string[] = []

@description('Names of groups.')
param groups string[] = []

@description('The snapshot date, as YYYY-MM-DD; empty: today.')
param date string = ''

@description('Hours of the day, in UTC, at which it starts a run.')
param hours int[] = [6]

@description('How long to wait for the end. A run expires after RUN_HOURS and ends at most an hour and a half later.')
param timeLimit string = 'PT8H'

var byKey = empty(keySecretUrl) == empty(clientId)
  ? fail('keySecretUrl, clientId: give exactly one of them')
  : empty(clientId)
var proof = byKey ? {} : { authentication: { type: 'ManagedServiceIdentity', audience: 'api://${clientId}' } }
var keyHeader = byKey ? { 'x-functions-key': '@body(\'Read_key\')[\'value\']' } : {}
var hidden = { secureData: { properties: ['inputs', 'outputs'] } }
var vaultAudience = 'https://${join(skip(split(split(keySecretUrl, '/')[?2] ?? '', '.'), 1), '.')}'

// Only given values are sent. Without exports and groups, the run has all enabled exports; without a date, it is for today.
var request = union(
  empty(exports) ? {} : { exports: exports },
  empty(groups) ? {} : { groups: groups },
  empty(date) ? {} : { date: date }
)

// Every status from 400 to 499 is final, except a timeout (408) and throttling (429). After 503, or no answer, it polls again.
var status = 'coalesce(outputs(\'Poll\')?[\'statusCode\'], 0)'
var isFinal = 'and(greaterOrEquals(${status}, 400), less(${status}, 500), not(equals(${status}, 408)), not(equals(${status}, 429)))'

resource workflow 'Microsoft.Logic/workflows@2019-05-01' = {
  name: name
  location: location
  identity: { type: 'SystemAssigned' }
  properties: {
    state: state
    definition: {
      '$schema': 'https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#'
      contentVersion: '1.0.0.0'
      triggers: {
        Schedule: {
          type: 'Recurrence'
          // Without a start time it would also fire at every deployment.
          recurrence: {
            frequency: 'Day'
            interval: 1
            startTime: '2026-01-01T00:00:00Z'
            schedule: { hours: hours, minutes: [0] }
          }
        }
      }
      actions: union(
        byKey
          ? {
              Read_key: {
                type: 'Http'
                inputs: {
                  method: 'GET'
                  uri: '${keySecretUrl}?api-version=7.4'
                  authentication: { type: 'ManagedServiceIdentity', audience: vaultAudience }
                }
                runtimeConfiguration: hidden
                runAfter: {}
              }
            }
          : {},
        {
          Outcome: {
            type: 'InitializeVariable'
            inputs: { variables: [{ name: 'outcome', type: 'string', value: '' }] }
            runAfter: byKey ? { Read_key: ['Succeeded'] } : {}
          }
          // The workflow's run id is the key, so a repeated call continues the same run.
          Start_run: {
            type: 'Http'
            inputs: union(proof, {
              method: 'POST'
              uri: '${appUrl}/api/runs'
              headers: union(keyHeader, {
                'Content-Type': 'application/json'
                'Idempotency-Key': '@workflow().run.name'
              })
              body: request
              retryPolicy: { type: 'fixed', count: 4, interval: 'PT30S' }
            })
            operationOptions: 'DisableAsyncPattern'
            runtimeConfiguration: byKey ? hidden : {}
            runAfter: { Outcome: ['Succeeded'] }
          }
          Wait_for_the_end: {
            type: 'Until'
            expression: '@not(equals(variables(\'outcome\'), \'\'))'
            limit: { count: 5000, timeout: timeLimit }
            actions: {
              Wait: { type: 'Wait', inputs: { interval: { count: 30, unit: 'Second' } }, runAfter: {} }
              Poll: {
                type: 'Http'
                inputs: union(proof, {
                  method: 'GET'
                  uri: '@outputs(\'Start_run\')[\'headers\'][\'Location\']'
                  headers: keyHeader
                  retryPolicy: { type: 'none' }
                })
                operationOptions: 'DisableAsyncPattern'
                runtimeConfiguration: byKey ? hidden : {}
                runAfter: { Wait: ['Succeeded'] }
              }
              Note: {
                type: 'SetVariable'
                inputs: {
                  name: 'outcome'
                  value: '@if(equals(${status}, 200), \'succeeded\', if(${isFinal}, concat(\'failed: \', string(body(\'Poll\'))), \'\'))'
                }
                runAfter: { Poll: ['Succeeded', 'Failed', 'TimedOut'] }
              }
            }
            runAfter: { Start_run: ['Succeeded'] }
          }
          Unless_it_succeeded: {
            type: 'If'
            expression: '@equals(variables(\'outcome\'), \'succeeded\')'
            actions: {}
            else: {
              actions: {
                Fail: {
                  type: 'Terminate'
                  inputs: {
                    runStatus: 'Failed'
                    runError: {
                      code: 'PigmentExports'
                      message: '@if(equals(variables(\'outcome\'), \'\'), \'the run has not ended within the time limit\', variables(\'outcome\'))'
                    }
                  }
                  runAfter: {}
                }
              }
            }
            runAfter: { Wait_for_the_end: ['Succeeded', 'Failed', 'TimedOut'] }
          }
        }
      )
    }
  }
}

@description('Object id of its identity. callers.applications needs its client id: az ad sp show --id … --query appId')
output principalId string = workflow.identity.principalId
