// Alert rules and the action group. infra/alerts/ has rules.yaml and each rule's query.
import { alertOptions, placeOptions, routeOptions, listed } from '../types.bicep'

@description('Suffix of the names.')
param token string

@description('Name of a new action group.')
param groupName string

@description('Its region, tags and log workspace.')
param place placeOptions

@description('Application Insights of the app; selects the app\'s logs in a shared workspace.')
param componentId string

@description('Recipients of alerts.')
param alerts alertOptions

var newGroup = empty(alerts.?actionGroupId) && !empty(alerts.?emails)

resource group 'Microsoft.Insights/actionGroups@2023-01-01' = if (newGroup) {
  name: groupName
  location: 'global'
  tags: place.tags
  properties: {
    enabled: true
    groupShortName: 'pigment'
    emailReceivers: map(listed(alerts.?emails), email => {
      name: email
      emailAddress: email
      useCommonAlertSchema: true
    })
  }
}

var groupId = newGroup ? group.id : (alerts.?actionGroupId ?? '')

var queries = {
  'access-refused': loadTextContent('../alerts/access-refused.kql')
  'export-failed': loadTextContent('../alerts/export-failed.kql')
  'housekeeping-failed': loadTextContent('../alerts/housekeeping-failed.kql')
  'log-limit': loadTextContent('../alerts/log-limit.kql')
  'message-dropped': loadTextContent('../alerts/message-dropped.kql')
  'near-time-limit': loadTextContent('../alerts/near-time-limit.kql')
  poison: loadTextContent('../alerts/poison.kql')
  'secret-near-expiry': loadTextContent('../alerts/secret-near-expiry.kql')
  silent: loadTextContent('../alerts/silent.kql')
  stale: loadTextContent('../alerts/stale.kql')
  'trigger-failed': loadTextContent('../alerts/trigger-failed.kql')
}

// A rule that splits by the exports' owner is created once per route, and once for all other exports.
func isOn(route routeOptions) string =>
  empty(route.?owner) ? 'groups contains "\\"${route.group!}\\""' : 'owner == "${replace(route.owner!, '"', '\\"')}"'
var routed = alerts.?routes ?? []
var routes = map(routed, (route, index) => {
  suffix: '-${index}'
  condition: '| where ${isOn(route)}\n'
  actionGroups: [route.actionGroupId]
})
var toTheRest = {
  suffix: ''
  condition: empty(routes) ? '' : '| where not(${join(map(routed, route => isOn(route)), ' or ')})\n'
  actionGroups: empty(groupId) ? [] : [groupId]
}
var rules = flatten(map(
  items(loadYamlContent('../alerts/rules.yaml')),
  rule =>
    map(
      contains(rule.value.split, 'owner') ? concat([toTheRest], routes) : [union(toTheRest, { condition: '' })],
      route => {
        name: '${rule.key}${route.suffix}'
        rule: rule.value
        query: '${replace(queries[rule.key], 'AppTraces\n', 'AppTraces\n| where _ResourceId =~ "${componentId}"\n')}${route.condition}'
        actionGroups: route.actionGroups
      }
    )
))

resource queryRules 'Microsoft.Insights/scheduledQueryRules@2026-03-01' = [
  for one in rules: {
    name: 'alert-pigment-${one.name}-${token}'
    location: place.location
    tags: place.tags
    kind: 'LogAlert'
    properties: {
      displayName: 'Pigment exports: ${one.name}'
      description: '${one.rule.description} What to do: docs/alerts.md.'
      severity: one.rule.severity
      enabled: true
      scopes: [place.workspaceId]
      evaluationFrequency: one.rule.every
      windowSize: one.rule.within
      autoMitigate: true
      // On the first deployment the table does not exist yet.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: one.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            dimensions: map(one.rule.split, column => { name: column, operator: 'Include', values: ['*'] })
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: one.actionGroups }
    }
  }
]

@description('The action group that gets alerts; empty: none.')
output actionGroupId string = groupId
