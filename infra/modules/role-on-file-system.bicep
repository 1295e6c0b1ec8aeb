// One role on one file system of a lake.
@description('The storage account.')
param account string

@description('The file system.')
param fileSystem string

@description('Object id of the principal.')
param principalId string

@description('Id of the role.')
param roleId string

resource lake 'Microsoft.Storage/storageAccounts@2026-06-01' existing = {
  name: account

  resource blobs 'blobServices' existing = {
    name: 'default'

    resource container 'containers' existing = { name: fileSystem }
  }
}

resource assignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: lake::blobs::container
  name: guid(lake::blobs::container.id, principalId, roleId)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roleId)
  }
}
