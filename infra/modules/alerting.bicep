// Who is told of what. Each query stands in infra/alerts and goes by the events that the app logs (docs/events.md).
@description('Part of the names.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

@description('The workspace with the app\'s logs.')
param workspaceId string

@description('An existing action group; empty: none.')
param actionGroupId string

@description('Mail addresses of a new one.')
param emails string[]

var newGroup = empty(actionGroupId) && !empty(emails)

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = if (newGroup) {
  name: 'ag-pigment-${token}'
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'pigment'
    emailReceivers: [for email in emails: { name: email, emailAddress: email, useCommonAlertSchema: true }]
  }
}

var groupId = newGroup ? group.id : actionGroupId

// Those that look often look back twice as far, since logs arrive late. Rules that split by `name` tell of each export once.
// What they split by is never empty: the queries put a word there.
var rules = {
  'export-failed': {
    description: 'An export failed or is held. Its receipt says who must act.'
    severity: 1
    query: loadTextContent('../alerts/export-failed.kql')
    every: 'PT15M'
    within: 'PT30M'
    split: ['name', 'class', 'who', 'owner']
  }
  'trigger-failed': {
    description: 'A schedule or a call could not start a run: the reason names what is wrong, the catalog as a rule.'
    severity: 1
    query: loadTextContent('../alerts/trigger-failed.kql')
    every: 'PT15M'
    within: 'PT30M'
    split: ['trigger', 'class', 'who']
  }
  stale: {
    description: 'An export has not succeeded for longer than it may.'
    severity: 2
    query: loadTextContent('../alerts/stale.kql')
    every: 'PT1H'
    within: 'PT2H'
    split: ['name', 'owner']
  }
  silent: {
    description: 'The app has said nothing for three hours: is it stopped, or can it not be imported? The list of its functions is empty then.'
    severity: 1
    query: loadTextContent('../alerts/silent.kql')
    every: 'PT1H'
    within: 'PT3H'
    split: []
  }
  poison: {
    description: 'A message was given up after its last try.'
    severity: 2
    query: loadTextContent('../alerts/poison.kql')
    every: 'PT15M'
    within: 'PT30M'
    split: ['name']
  }
  'access-refused': {
    description: 'Vault or lake refused the app: a role assignment or a firewall is missing.'
    severity: 1
    query: loadTextContent('../alerts/access-refused.kql')
    every: 'PT15M'
    within: 'PT30M'
    split: ['class']
  }
  'secret-near-expiry': {
    description: 'The Pigment key, or its secret, expires soon: make a new key in Pigment, set a new version (docs/deploy.md).'
    severity: 2
    query: loadTextContent('../alerts/secret-near-expiry.kql')
    every: 'P1D'
    within: 'P1D'
    split: ['secret']
  }
  'near-time-limit': {
    description: 'An export takes nearly as long as one may. Split it, or ask for less.'
    severity: 3
    query: loadTextContent('../alerts/near-time-limit.kql')
    every: 'PT1H'
    within: 'PT2H'
    split: ['name']
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for rule in items(rules): {
    name: 'alert-pigment-${rule.key}-${token}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'Pigment exports: ${rule.key}'
      description: rule.value.description
      severity: rule.value.severity
      enabled: true
      scopes: [workspaceId]
      evaluationFrequency: rule.value.every
      windowSize: rule.value.within
      autoMitigate: true
      // On the first deployment the table is not there yet.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: rule.value.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            dimensions: map(rule.value.split, column => { name: column, operator: 'Include', values: ['*'] })
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: empty(groupId) ? [] : [groupId] }
    }
  }
]

@description('Who is told; empty: nobody.')
output actionGroupId string = groupId
