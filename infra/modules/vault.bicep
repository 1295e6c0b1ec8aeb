// A new vault for the Pigment key. The key never passes through a template: docs/deploy.md explains how to store it.
import { placeOptions } from '../types.bicep'

@description('Name.')
param name string

@description('Its region, tags and log workspace.')
param place placeOptions

@description('Whether it has a public address.')
param public bool

@description('Whether it gets a CanNotDelete lock.')
param lock bool

resource vault 'Microsoft.KeyVault/vaults@2026-05-15' = {
  name: name
  location: place.location
  tags: place.tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 90
    enablePurgeProtection: true
    enabledForDeployment: false
    enabledForDiskEncryption: false
    enabledForTemplateDeployment: false
    publicNetworkAccess: public ? 'Enabled' : 'Disabled'
    networkAcls: { bypass: 'None', defaultAction: public ? 'Allow' : 'Deny' }
  }
}

resource deletionLock 'Microsoft.Authorization/locks@2020-05-01' = if (lock) {
  scope: vault
  name: 'keep-the-key'
  properties: { level: 'CanNotDelete', notes: 'Removing the app never removes the vault: docs/deploy.md.' }
}

#disable-next-line use-recent-api-versions // diagnostic settings have no newer version than this preview
resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: vault
  name: 'logs'
  properties: {
    workspaceId: place.workspaceId
    logs: [{ categoryGroup: 'audit', enabled: true }]
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}
