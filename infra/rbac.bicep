// Every role assignment of this deployment. docs/security.md lists which calls need it.
// A name is derived from scope, principal and role, so that repeated deployments produce the same assignment.
import { roles, assignment } from 'roles.bicep'
import { operatorOptions, targetOptions, orElse } from 'types.bicep'

@description('The app\'s identity.')
param principalId string

@description('The Functions host\'s storage account.')
param hostStorageName string

@description('The queue and its poison queue.')
param queueNames string[]

@description('Application Insights.')
param componentName string

@description('The vault. On a new vault, the role is assigned on the whole vault, because its secrets do not exist yet.')
param vault targetOptions

@description('The secrets of an existing vault that the app may read.')
param secretNames string[]

@description('The lake.')
param lake targetOptions

@description('The file system.')
param fileSystem string

@description('Id of the role on the file system. Default: Storage Blob Data Contributor.')
param lakeRoleId string

@description('Whether to assign roles on host storage and Application Insights.')
param assignOwn bool

@description('Whether to assign roles on the vault.')
param assignVault bool

@description('Whether to assign the role on the lake.')
param assignLake bool

@description('A person, group or service that can set secrets in a new vault.')
param operator operatorOptions

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

// On the whole account, which only the host uses: the host creates its containers and tables itself and chooses their names.
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

// Not Message Processor: the trigger renews a message while its export runs, and that role lacks the update permission.
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

var operatorId = vault.isNew ? (operator.?id ?? '') : ''
var operatorType = orElse(operator.?type, 'User')
var vaultId = resourceId(vault.subscriptionId, vault.resourceGroup, 'Microsoft.KeyVault/vaults', vault.name)
var onVault = concat(
  map(vault.isNew ? [''] : secretNames, secret => {
    secret: secret
    scope: empty(secret) ? vaultId : '${vaultId}/secrets/${secret}'
    principalId: principalId
    principalType: 'ServicePrincipal'
    role: roles.secretsUser
  }),
  empty(operatorId)
    ? []
    : [{ secret: '', scope: vaultId, principalId: operatorId, principalType: operatorType, role: roles.secretsOfficer }]
)

module vaultRoles 'modules/role-on-vault.bicep' = [
  for grant in onVault: if (assignVault) {
    scope: resourceGroup(vault.subscriptionId, vault.resourceGroup)
    params: {
      vaultName: vault.name
      secretName: grant.secret
      principalId: grant.principalId
      principalType: grant.principalType
      roleId: grant.role.id
    }
  }
]

module lakeRole 'modules/role-on-file-system.bicep' = if (assignLake) {
  scope: resourceGroup(lake.subscriptionId, lake.resourceGroup)
  params: {
    account: lake.name
    fileSystem: fileSystem
    principalId: principalId
    roleId: orElse(lakeRoleId, roles.blobDataContributor.id)
  }
}

var fileSystemId = resourceId(
  lake.subscriptionId,
  lake.resourceGroup,
  'Microsoft.Storage/storageAccounts/blobServices/containers',
  lake.name,
  'default',
  fileSystem
)
var queueScopes = map(queueNames, name => '${hostStorage.id}/queueServices/default/queues/${name}')
var service = 'ServicePrincipal'

@description('Commands for the assignments that this deployment did not make.')
output commands string[] = concat(
  assignOwn ? [] : map(onHostStorage, role => assignment(principalId, service, role.name, hostStorage.id)),
  assignOwn ? [] : map(queueScopes, scope => assignment(principalId, service, roles.queueDataContributor.name, scope)),
  assignOwn ? [] : [assignment(principalId, service, roles.metricsPublisher.name, component.id)],
  assignVault
    ? []
    : map(onVault, grant => assignment(grant.principalId, grant.principalType, grant.role.name, grant.scope)),
  assignLake ? [] : [assignment(principalId, service, orElse(lakeRoleId, roles.blobDataContributor.name), fileSystemId)]
)
