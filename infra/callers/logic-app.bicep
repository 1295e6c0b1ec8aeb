// A Logic App: starts a run on a schedule of its own, waits for its end, fails when it failed.
// Its identity must be among `callers.applications` of the app. It has no trigger that anybody could call.
@description('Name of the Logic App.')
param name string = 'logic-pigment-exports'

@description('Region.')
param location string = resourceGroup().location

@description('Address of the function app: the output appUrl.')
param appUrl string

@description('Client id of the app registration of the function app: its callers.clientId.')
param clientId string

@description('Names of exports; none: by groups, or all that is enabled.')
param exports string[] = []

@description('Names of groups.')
param groups string[] = []

@description('The snapshot date, as 2026-12-31; empty: today.')
param date string = ''

@description('Hours of the day, in UTC, at which it starts a run.')
param hours int[] = [6]

@description('How long to wait for the end. A run expires after RUN_HOURS and has ended an hour and a half later.')
param timeLimit string = 'PT8H'

// Only what is given is said: no exports, no groups and no date are all that is enabled, today.
var request = union(
  empty(exports) ? {} : { exports: exports },
  empty(groups) ? {} : { groups: groups },
  empty(date) ? {} : { date: date }
)

resource workflow 'Microsoft.Logic/workflows@2019-05-01' = {
  name: name
  location: location
  identity: { type: 'SystemAssigned' }
  properties: {
    definition: {
      '$schema': 'https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#'
      contentVersion: '1.0.0.0'
      triggers: {
        Schedule: {
          type: 'Recurrence'
          // Without a start it would fire at every deployment, too.
          recurrence: {
            frequency: 'Day'
            interval: 1
            startTime: '2026-01-01T00:00:00Z'
            schedule: { hours: hours, minutes: [0] }
          }
        }
      }
      actions: {
        // 202 and Location: Logic Apps asks there until the answer is another. 200: all succeeded; 409: not all.
        // The workflow's run id as the key: tried again, it is the same run.
        Start_run_and_wait: {
          type: 'Http'
          inputs: {
            method: 'POST'
            uri: '${appUrl}/api/runs'
            headers: { 'Content-Type': 'application/json', 'Idempotency-Key': '@workflow().run.name' }
            body: request
            authentication: { type: 'ManagedServiceIdentity', audience: 'api://${clientId}' }
            retryPolicy: { type: 'fixed', count: 4, interval: 'PT30S' }
          }
          limit: { timeout: timeLimit }
          runAfter: {}
        }
        Fail: {
          type: 'Terminate'
          inputs: {
            runStatus: 'Failed'
            runError: {
              code: 'PigmentExports'
              message: '@if(equals(actions(\'Start_run_and_wait\').status, \'TimedOut\'), \'the run has not ended within the time limit\', string(body(\'Start_run_and_wait\')))'
            }
          }
          runAfter: { Start_run_and_wait: ['Failed', 'TimedOut'] }
        }
      }
    }
  }
}

@description('Object id of its identity; callers.applications wants the client id: az ad sp show --id … --query appId')
output principalId string = workflow.identity.principalId
