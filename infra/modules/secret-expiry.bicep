// Event Grid notifies the action group when a secret expires within thirty days. The topic is in the vault's resource group.
// Event Grid covers only secret versions that were stored with an expiry after this was deployed.
@description('Name.')
param name string

@description('The vault\'s region.')
param location string

@description('Tags.')
param tags { *: string }

@description('The vault.')
param vaultName string

@description('The action group to notify.')
param actionGroupId string

resource vault 'Microsoft.KeyVault/vaults@2026-05-15' existing = {
  name: vaultName
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: name
  location: location
  tags: tags
  properties: { source: vault.id, topicType: 'Microsoft.KeyVault.vaults' }

  resource subscription 'eventSubscriptions' = {
    name: 'secret-expiry'
    properties: {
      eventDeliverySchema: 'CloudEventSchemaV1_0'
      filter: { includedEventTypes: ['Microsoft.KeyVault.SecretNearExpiry', 'Microsoft.KeyVault.SecretExpired'] }
      destination: {
        endpointType: 'MonitorAlert'
        properties: {
          actionGroups: [actionGroupId]
          severity: 'Sev2'
          description: 'A secret in the vault with the Pigment key expires soon, or has expired: store a new version (docs/deploy.md).'
        }
      }
    }
  }
}
