// A pipeline in a Data Factory that is there already: starts a run, waits for its end, fails when it failed.
// The factory's identity must be among `callers.applications` of the app.
@description('Name of the Data Factory, in this resource group.')
param factoryName string

@description('Name of the pipeline.')
param pipelineName string = 'Pigment exports'

@description('Address of the function app: the output appUrl.')
param appUrl string

@description('Client id of the app registration of the function app: its callers.clientId.')
param clientId string

@description('How long to wait for the end, as d.hh:mm:ss. A run expires after RUN_HOURS and has ended an hour and a half later.')
param timeLimit string = '0.08:00:00'

@description('Seconds between two looks.')
param waitSeconds int = 30

resource factory 'Microsoft.DataFactory/factories@2018-06-01' existing = {
  name: factoryName
}

var identity = { type: 'MSI', resource: 'api://${clientId}' }

// Only what is given is said: no exports, no groups and no date are all that is enabled, today.
var exportsPart = 'if(empty(pipeline().parameters.exports), \'\', concat(\',"exports":\', string(pipeline().parameters.exports)))'
var groupsPart = 'if(empty(pipeline().parameters.groups), \'\', concat(\',"groups":\', string(pipeline().parameters.groups)))'
var datePart = 'if(empty(pipeline().parameters.date), \'\', concat(\',"date":"\', pipeline().parameters.date, \'"\'))'
var request = '@replace(concat(\'{\', ${exportsPart}, ${groupsPart}, ${datePart}, \'}\'), \'{,\', \'{\')'

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
    activities: [
      {
        // The pipeline's run id as the key: tried again, it is the same run.
        name: 'Start run'
        type: 'WebActivity'
        policy: { timeout: '0.00:10:00', retry: 3, retryIntervalInSeconds: 30 }
        typeProperties: {
          method: 'POST'
          url: '${appUrl}/api/runs'
          headers: { 'Content-Type': 'application/json', 'Idempotency-Key': '@pipeline().RunId' }
          body: request
          authentication: identity
          turnOffAsync: true
        }
      }
      {
        name: 'Wait for the end'
        type: 'Until'
        dependsOn: [{ activity: 'Start run', dependencyConditions: ['Succeeded'] }]
        typeProperties: {
          expression: { type: 'Expression', value: '@not(equals(variables(\'outcome\'), \'\'))' }
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
              policy: { timeout: '0.00:10:00', retry: 2, retryIntervalInSeconds: 30 }
              typeProperties: {
                method: 'GET'
                url: '@activity(\'Start run\').output.ADFWebActivityResponseHeaders.Location'
                authentication: identity
                turnOffAsync: true
              }
            }
            {
              // 202 is a success, too: the run itself says what it is.
              name: 'Note success'
              type: 'SetVariable'
              dependsOn: [{ activity: 'Poll', dependencyConditions: ['Succeeded'] }]
              typeProperties: {
                variableName: 'outcome'
                value: '@if(equals(activity(\'Poll\').output.state, \'succeeded\'), \'succeeded\', \'\')'
              }
            }
            {
              // 409: it ended with failures. Without this the loop would go on: a failure inside does not end it.
              name: 'Note failure'
              type: 'SetVariable'
              dependsOn: [{ activity: 'Poll', dependencyConditions: ['Failed'] }]
              typeProperties: {
                variableName: 'outcome'
                value: '@concat(\'failed: \', activity(\'Poll\').error.message)'
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
          expression: { type: 'Expression', value: '@equals(variables(\'outcome\'), \'succeeded\')' }
          ifFalseActivities: [
            {
              name: 'Fail'
              type: 'Fail'
              typeProperties: {
                errorCode: 'PigmentExports'
                message: '@if(equals(variables(\'outcome\'), \'\'), \'the run has not ended within the time limit\', variables(\'outcome\'))'
              }
            }
          ]
        }
      }
    ]
  }
}

@description('Id of the pipeline.')
output pipelineId string = pipeline.id
