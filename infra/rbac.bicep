// Every role assignment of this deployment. What each is for stands in docs/security.md, call by call.
// Names come from scope, principal and role, so that the same assignment has the same name however often it is deployed.
import { roles, assignment } from 'roles.bicep'

@description('The app\'s identity.')
param principalId string

@description('The Functions host\'s storage account.')
param hostStorageName string

@description('The queue and its poison queue.')
param queueNames string[]

@description('Application Insights.')
param componentName string

@description('The vault.')
param vaultName string

@description('Its resource group.')
param vaultGroup string

@description('Its subscription.')
param vaultSubscription string

@description('Whether it is made here: then the role is on the vault, since its secrets are not there yet.')
param newVault bool

@description('The secrets of an existing vault that the app may read.')
param secretNames string[]

@description('The lake\'s account.')
param lakeAccount string

@description('Its resource group.')
param lakeGroup string

@description('Its subscription.')
param lakeSubscription string

@description('The file system.')
param fileSystem string

@description('Whether to assign on host storage and Application Insights.')
param assignOwn bool

@description('Whether to assign on the vault.')
param assignVault bool

@description('Whether to assign on the lake.')
param assignLake bool

@description('Whoever sets the secret in a new vault; empty: nobody.')
param operatorId string

@description('What that is.')
param operatorType string

resource hostStorage 'Microsoft.Storage/storageAccounts@2026-06-01' existing = {
  name: hostStorageName
}

resource queueService 'Microsoft.Storage/storageAccounts/queueServices@2026-06-01' existing = {
  parent: hostStorage
  name: 'default'
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices/queues@2026-06-01' existing = [
  for name in queueNames: {
    parent: queueService
    name: name
  }
]

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

// The Functions host makes its containers and tables itself, under names of its own: hence the account, which is its alone.
var onHostStorage = [roles.blobDataOwner, roles.tableDataContributor]
resource hostRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for role in onHostStorage: if (assignOwn) {
    scope: hostStorage
    name: guid(hostStorage.id, principalId, role.id)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', role.id)
    }
  }
]

// Not Message Processor: the trigger renews a message while its export runs, which is an update, which that role lacks.
resource queueRoles 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (name, index) in queueNames: if (assignOwn) {
    scope: queues[index]
    name: guid(queues[index].id, principalId, roles.queueDataContributor.id)
    properties: {
      principalId: principalId
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.queueDataContributor.id)
    }
  }
]

resource componentRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (assignOwn) {
  scope: component
  name: guid(component.id, principalId, roles.metricsPublisher.id)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.metricsPublisher.id)
  }
}

module vaultRole 'modules/role-on-vault.bicep' = if (newVault && assignVault) {
  scope: resourceGroup(vaultSubscription, vaultGroup)
  params: {
    vaultName: vaultName
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleId: roles.secretsUser.id
  }
}

module secretRoles 'modules/role-on-secret.bicep' = [
  for name in secretNames: if (!newVault && assignVault) {
    scope: resourceGroup(vaultSubscription, vaultGroup)
    params: { vaultName: vaultName, secretName: name, principalId: principalId, roleId: roles.secretsUser.id }
  }
]

module operatorRole 'modules/role-on-vault.bicep' = if (newVault && assignVault && !empty(operatorId)) {
  scope: resourceGroup(vaultSubscription, vaultGroup)
  params: {
    vaultName: vaultName
    principalId: operatorId
    principalType: operatorType
    roleId: roles.secretsOfficer.id
  }
}

module lakeRole 'modules/role-on-file-system.bicep' = if (assignLake) {
  scope: resourceGroup(lakeSubscription, lakeGroup)
  params: {
    account: lakeAccount
    fileSystem: fileSystem
    principalId: principalId
    roleId: roles.blobDataContributor.id
  }
}

var vaultId = resourceId(vaultSubscription, vaultGroup, 'Microsoft.KeyVault/vaults', vaultName)
var fileSystemId = resourceId(
  lakeSubscription,
  lakeGroup,
  'Microsoft.Storage/storageAccounts/blobServices/containers',
  lakeAccount,
  'default',
  fileSystem
)
var vaultScopes = newVault ? [vaultId] : map(secretNames, name => '${vaultId}/secrets/${name}')
var queueScopes = map(queueNames, name => '${hostStorage.id}/queueServices/default/queues/${name}')
var service = 'ServicePrincipal'

@description('The assignments that were not made, as commands.')
output commands string[] = concat(
  assignOwn ? [] : map(onHostStorage, role => assignment(principalId, service, role.name, hostStorage.id)),
  assignOwn ? [] : map(queueScopes, scope => assignment(principalId, service, roles.queueDataContributor.name, scope)),
  assignOwn ? [] : [assignment(principalId, service, roles.metricsPublisher.name, component.id)],
  assignVault ? [] : map(vaultScopes, scope => assignment(principalId, service, roles.secretsUser.name, scope)),
  assignVault || !newVault || empty(operatorId)
    ? []
    : [assignment(operatorId, operatorType, roles.secretsOfficer.name, vaultId)],
  assignLake ? [] : [assignment(principalId, service, roles.blobDataContributor.name, fileSystemId)]
)
