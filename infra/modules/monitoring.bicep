// Logs: a workspace, unless one is given, and Application Insights on it. No keys: the app writes logs with its identity.
import { logOptions } from '../types.bicep'

@description('Name of a new workspace.')
param workspaceName string

@description('Name of the Application Insights component.')
param componentName string

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

@description('Destination and volume of logs.')
param logs logOptions

resource workspace 'Microsoft.OperationalInsights/workspaces@2026-03-01' = if (empty(logs.?workspaceId)) {
  name: workspaceName
  location: location
  tags: tags
  properties: {
    sku: { name: 'PerGB2018' }
    retentionInDays: logs.?retentionDays ?? 90
    workspaceCapping: { dailyQuotaGb: logs.?dailyLimitGb ?? 1 }
    features: { disableLocalAuth: true }
  }
}

var workspaceId = empty(logs.?workspaceId) ? workspace.id : logs.workspaceId!

resource component 'Microsoft.Insights/components@2020-02-02' = {
  name: componentName
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    WorkspaceResourceId: workspaceId
    IngestionMode: 'LogAnalytics'
    DisableLocalAuth: true
  }
}

@description('Resource id of the workspace.')
output workspaceId string = workspaceId
