// Storage of the Functions host: its locks and keys, the deployed package, the queue. A separate account without access keys.
import { encryptionOptions, placeOptions, encryptedBy, keyReader } from '../types.bicep'

@description('Name of the account.')
param name string

@description('Its region, tags and log workspace.')
param place placeOptions

@description('Container of the deployed package.')
param packageContainer string

@description('The queue with one message per export.')
param queueName string

@description('Redundancy.')
param sku string

@description('Whether it has a public address.')
param public bool

@description('Customer-managed key.')
param encryption encryptionOptions

resource account 'Microsoft.Storage/storageAccounts@2026-06-01' = {
  name: name
  location: place.location
  tags: place.tags
  kind: 'StorageV2'
  sku: { name: sku }
  identity: keyReader(encryption)
  properties: {
    encryption: encryptedBy(encryption)
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    isLocalUserEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: public ? 'Enabled' : 'Disabled'
    networkAcls: { bypass: 'None', defaultAction: public ? 'Allow' : 'Deny' }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2026-06-01' = {
  parent: account
  name: 'default'
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-06-01' = {
  parent: blobs
  name: packageContainer
  properties: { publicAccess: 'None' }
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices@2026-06-01' = {
  parent: account
  name: 'default'
}

// Both queues are created here, so that the app needs no permission to create queues.
resource queue 'Microsoft.Storage/storageAccounts/queueServices/queues@2026-06-01' = [
  for suffix in ['', '-poison']: {
    parent: queues
    name: '${queueName}${suffix}'
  }
]

// Reads are not logged: the host polls its queues all day.
#disable-next-line use-recent-api-versions // diagnostic settings have no newer version than this preview
resource blobLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: blobs
  name: 'logs'
  properties: {
    workspaceId: place.workspaceId
    logs: [{ category: 'StorageWrite', enabled: true }, { category: 'StorageDelete', enabled: true }]
    metrics: [{ category: 'Transaction', enabled: true }]
  }
}

#disable-next-line use-recent-api-versions // diagnostic settings have no newer version than this preview
resource queueLogs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: queues
  name: 'logs'
  properties: {
    workspaceId: place.workspaceId
    logs: [{ category: 'StorageDelete', enabled: true }]
    metrics: [{ category: 'Transaction', enabled: true }]
  }
}
