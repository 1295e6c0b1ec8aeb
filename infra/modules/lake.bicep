// A new data lake: hierarchical namespace, soft delete, no access keys.
import { encryptionOptions, placeOptions, encryptedBy, keyReader } from '../types.bicep'

@description('Name of the account.')
param name string

@description('Its region, tags and log workspace.')
param place placeOptions

@description('The file system.')
param fileSystem string

@description('Days after which run records are deleted; 0: never.')
param recordDays int

@description('Folder of the run records in the file system.')
param recordFolder string

@description('Redundancy.')
param sku string

@description('Whether it has a public address.')
param public bool

@description('Customer-managed key.')
param encryption encryptionOptions

@description('Whether it gets a CanNotDelete lock.')
param lock bool

resource account 'Microsoft.Storage/storageAccounts@2026-06-01' = {
  name: name
  location: place.location
  tags: place.tags
  kind: 'StorageV2'
  sku: { name: sku }
  identity: keyReader(encryption)
  properties: {
    encryption: encryptedBy(encryption)
    isHnsEnabled: true
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    isLocalUserEnabled: false
    isSftpEnabled: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: public ? 'Enabled' : 'Disabled'
    // Trusted services, such as a Data Factory that copies the files elsewhere: each still needs its own role.
    networkAcls: { bypass: 'AzureServices', defaultAction: public ? 'Allow' : 'Deny' }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2026-06-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: { enabled: true, days: 14 }
    containerDeleteRetentionPolicy: { enabled: true, days: 14 }
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2026-06-01' = {
  parent: blobs
  name: fileSystem
  properties: { publicAccess: 'None' }
}

// For records that `RETENTION_DAYS` did not remove, such as those of a deleted app. It never deletes data.
resource recordsExpire 'Microsoft.Storage/storageAccounts/managementPolicies@2026-06-01' = if (recordDays > 0) {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'run-records'
          type: 'Lifecycle'
          definition: {
            filters: { blobTypes: ['blockBlob'], prefixMatch: ['${fileSystem}/${recordFolder}'] }
            actions: { baseBlob: { delete: { daysAfterModificationGreaterThan: recordDays } } }
          }
        }
      ]
    }
  }
}

resource deletionLock 'Microsoft.Authorization/locks@2020-05-01' = if (lock) {
  scope: account
  name: 'keep-the-data'
  properties: { level: 'CanNotDelete', notes: 'Removing the app never removes the data: docs/deploy.md.' }
}

#disable-next-line use-recent-api-versions // diagnostic settings have no newer version than this preview
resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: blobs
  name: 'logs'
  properties: {
    workspaceId: place.workspaceId
    logs: [
      { category: 'StorageRead', enabled: true }
      { category: 'StorageWrite', enabled: true }
      { category: 'StorageDelete', enabled: true }
    ]
    metrics: [{ category: 'Transaction', enabled: true }]
  }
}
