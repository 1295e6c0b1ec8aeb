// Key Vault's own word that a secret expires within thirty days, to the action group. In the vault's group.
// Known only of versions that were set with an expiry after this was deployed.
@description('Name.')
param name string

@description('The vault\'s region.')
param location string

@description('Tags.')
param tags { *: string }

@description('The vault.')
param vaultName string

@description('Who is told.')
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
          description: 'A secret of the vault with the Pigment key expires: set a new version (docs/deploy.md).'
        }
      }
    }
  }
}
