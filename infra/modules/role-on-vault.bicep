// One role on a vault, or on one of its secrets.
@description('The vault.')
param vaultName string

@description('The secret; empty: the whole vault.')
param secretName string

@description('Object id of the principal.')
param principalId string

@description('Type of the principal.')
param principalType string

@description('Id of the role.')
param roleId string

resource vault 'Microsoft.KeyVault/vaults@2026-05-15' existing = {
  name: vaultName

  resource secret 'secrets' existing = { name: secretName }
}

resource onVault 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (empty(secretName)) {
  scope: vault
  name: guid(vault.id, principalId, roleId)
  properties: {
    principalId: principalId
    principalType: principalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleId)
  }
}

resource onSecret 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(secretName)) {
  scope: vault::secret
  name: guid(vault::secret.id, principalId, roleId)
  properties: {
    principalId: principalId
    principalType: principalType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleId)
  }
}
