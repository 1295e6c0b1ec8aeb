// A pipeline in an existing Data Factory: starts a run, waits for its end, and fails if the run failed.
// It authenticates with a function key, which it reads from a vault (its identity needs Key Vault Secrets User on that
// secret), or with a token (its identity must be listed in the app's `callers.applications`).
@description('Name of the Data Factory, in this resource group.')
param factoryName string

@description('Name of the pipeline.')
param pipelineName string = 'Pigment exports'

@description('Address of the function app: the output appUrl.')
param appUrl string

@description('Address of the secret with the function key, for example https://VAULT.vault.azure.net/secrets/pigment-exports-caller.')
param keySecretUrl string = ''

@description('Instead of a key: client id of the function app\'s app registration (its callers.clientId).')
param clientId string = ''

@description('How long to wait for the end, as d.hh:mm:ss. A run expires after RUN_HOURS and ends at most an hour and a half later.')
param timeLimit string = '0.08:00:00'

@description('Seconds between two polls.')
param waitSeconds int = 30

resource factory 'Microsoft.DataFactory/factories@2018-06-01' existing = {
  name: factoryName
}

func expression(text string) { value: string, type: string } => { value: text, type: 'Expression' }

var byKey = empty(keySecretUrl) == empty(clientId)
  ? fail('keySecretUrl, clientId: give exactly one of them')
  : empty(clientId)
var proof = byKey ? {} : { authentication: { type: 'MSI', resource: 'api://${clientId}' } }
var keyHeader = byKey ? { 'x-functions-key': expression('@activity(\'Read key\').output.value') } : {}

// More than the app's own limit and a cold start; Azure aborts a call after 230 seconds.
var patience = { httpRequestTimeout: '00:03:30', turnOffAsync: true }

// Only given values are sent. Without exports and groups, the run has all enabled exports; without a date, it is for today.
var exportsPart = 'if(empty(pipeline().parameters.exports), \'\', concat(\',"exports":\', string(pipeline().parameters.exports)))'
var groupsPart = 'if(empty(pipeline().parameters.groups), \'\', concat(\',"groups":\', string(pipeline().parameters.groups)))'
var datePart = 'if(empty(pipeline().parameters.date), \'\', concat(\',"date":"\', pipeline().parameters.date, \'"\'))'
var request = '@replace(concat(\'{\', ${exportsPart}, ${groupsPart}, ${datePart}, \'}\'), \'{,\', \'{\')'

// A failed poll is final if the run ended with failures (409, with its state), or if the caller is not allowed to call.
// After any other failure, such as 503 or no answer, the pipeline polls again. Data Factory reports the status only inside
// the error's text, as a number or a word, before the text of the response.
var told = 'activity(\'Poll\').error.message'
var statuses = ['401', '403', '404', '409', 'Unauthorized', 'Forbidden', 'NotFound', 'Conflict']
var isFinal = reduce(
  statuses,
  'contains(${told}, \'"state"\')',
  (so, status) => 'or(${so}, contains(first(split(${told}, \'message -\')), \'${status}\'))'
)

resource pipeline 'Microsoft.DataFactory/factories/pipelines@2018-06-01' = {
  parent: factory
  name: pipelineName
  properties: {
    description: 'Starts Pigment exports and waits until they have ended.'
    parameters: {
      exports: { type: 'Array', defaultValue: [] }
      groups: { type: 'Array', defaultValue: [] }
      date: { type: 'String', defaultValue: '' }
    }
    variables: { outcome: { type: 'String', defaultValue: '' } }
    activities: concat(
      byKey
        ? [
            {
              name: 'Read key'
              type: 'WebActivity'
              policy: { timeout: '0.00:10:00', retry: 3, retryIntervalInSeconds: 30, secureOutput: true }
              typeProperties: {
                method: 'GET'
                url: '${keySecretUrl}?api-version=7.4'
                authentication: {
                  type: 'MSI'
                  resource: 'https://${join(skip(split(split(keySecretUrl, '/')[2], '.'), 1), '.')}'
                }
              }
            }
          ]
        : [],
      [
        {
          // The pipeline's run id is the key, so a repeated call continues the same run.
          name: 'Start run'
          type: 'WebActivity'
          dependsOn: byKey ? [{ activity: 'Read key', dependencyConditions: ['Succeeded'] }] : []
          policy: { timeout: '0.00:15:00', retry: 3, retryIntervalInSeconds: 30, secureInput: byKey }
          typeProperties: union(proof, patience, {
            method: 'POST'
            url: '${appUrl}/api/runs'
            headers: union(keyHeader, {
              'Content-Type': 'application/json'
              'Idempotency-Key': expression('@pipeline().RunId')
            })
            body: expression(request)
          })
        }
        {
          name: 'Wait for the end'
          type: 'Until'
          dependsOn: [{ activity: 'Start run', dependencyConditions: ['Succeeded'] }]
          typeProperties: {
            expression: expression('@not(equals(variables(\'outcome\'), \'\'))')
            timeout: timeLimit
            activities: [
              {
                name: 'Wait'
                type: 'Wait'
                typeProperties: { waitTimeInSeconds: waitSeconds }
              }
              {
                name: 'Poll'
                type: 'WebActivity'
                dependsOn: [{ activity: 'Wait', dependencyConditions: ['Succeeded'] }]
                policy: { timeout: '0.00:10:00', retry: 0, secureInput: byKey }
                typeProperties: union(proof, patience, {
                  method: 'GET'
                  url: expression('@activity(\'Start run\').output.ADFWebActivityResponseHeaders.Location')
                  headers: keyHeader
                })
              }
              {
                // A 202 also succeeds: the state is in the response.
                name: 'Note success'
                type: 'SetVariable'
                dependsOn: [{ activity: 'Poll', dependencyConditions: ['Succeeded'] }]
                typeProperties: {
                  variableName: 'outcome'
                  value: expression('@if(equals(activity(\'Poll\').output.state, \'succeeded\'), \'succeeded\', \'\')')
                }
              }
              {
                name: 'Note failure'
                type: 'SetVariable'
                dependsOn: [{ activity: 'Poll', dependencyConditions: ['Failed'] }]
                typeProperties: {
                  variableName: 'outcome'
                  value: expression('@if(${isFinal}, concat(\'failed: \', ${told}), \'\')')
                }
              }
            ]
          }
        }
        {
          name: 'Unless it succeeded'
          type: 'IfCondition'
          dependsOn: [{ activity: 'Wait for the end', dependencyConditions: ['Completed'] }]
          typeProperties: {
            expression: expression('@equals(variables(\'outcome\'), \'succeeded\')')
            ifFalseActivities: [
              {
                name: 'Fail'
                type: 'Fail'
                typeProperties: {
                  errorCode: 'PigmentExports'
                  message: expression('@if(equals(variables(\'outcome\'), \'\'), \'the run has not ended within the time limit\', variables(\'outcome\'))')
                }
              }
            ]
          }
        }
      ]
    )
  }
}

@description('Id of the pipeline.')
output pipelineId string = pipeline.id
