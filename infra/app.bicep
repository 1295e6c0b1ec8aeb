// Everything that the app needs, in one resource group. What belongs to other teams is only referenced.
import {
  alertOptions
  callerOptions
  exportOptions
  lakeOptions
  networkOptions
  operatorOptions
  scaleOptions
  vaultOptions
  orElse
  listed
} from 'types.bicep'

@description('Name of this deployment; every name is made of it.')
@minLength(2)
@maxLength(32)
param environmentName string

@description('Azure region of everything that is made.')
param location string = resourceGroup().location

@description('Where the Pigment key is.')
param vault vaultOptions = {}

@description('Where the files go.')
param lake lakeOptions = {}

@description('What the app does.')
param exports exportOptions = {}

@description('Who may call the app over HTTP.')
param callers callerOptions = {}

@description('Private endpoints for vault, lake and host storage, no public address of theirs, and a fixed outgoing address of the app.')
param privateNetwork bool = false

@description('Where the private network lies.')
param network networkOptions = {}

@description('Whether roles on what is made here are assigned here. False where the deployer may not: an output has the commands for an owner.')
param assignRoles bool = true

@description('Whether roles on the secrets of an existing vault are assigned here; false: commands in the output.')
param assignVaultRoles bool = true

@description('Whether the role on an existing lake\'s file system is assigned here; false: a command in the output.')
param assignLakeRoles bool = true

@description('Whether a new vault and a new lake get a CanNotDelete lock, which only an Owner or User Access Administrator may make.')
param lockData bool = true

@description('Whoever sets the secret in a new vault.')
param operator operatorOptions = {}

@description('Who is told when something goes wrong.')
param alerts alertOptions = {}

@description('How much of everything.')
param scale scaleOptions = {}

// The queue that the app's default names; its poison queue is the host's convention.
var queueName = 'pigment-exports'

var token = uniqueString(resourceGroup().id, environmentName)
var newVault = empty(vault.?name)
var newLake = empty(lake.?account)
var vaultName = orElse(vault.?name, 'kv-pig-${token}')
var vaultGroup = orElse(vault.?resourceGroup, resourceGroup().name)
var vaultSubscription = orElse(vault.?subscriptionId, subscription().subscriptionId)
var lakeAccount = orElse(lake.?account, 'lakepig${token}')
var lakeGroup = orElse(lake.?resourceGroup, resourceGroup().name)
var lakeSubscription = orElse(lake.?subscriptionId, subscription().subscriptionId)
var fileSystem = orElse(lake.?fileSystem, 'pigment')
var keySecret = orElse(exports.?keySecret, 'pigment-api-key')
var hostStorageName = 'stpig${token}'
var storageSku = scale.?storageSku ?? 'Standard_ZRS'
var packageContainer = 'app-package'
var componentName = 'appi-pigment-${token}'
var clientId = callers.?clientId ?? ''

// What removal may take, and what it never takes: docs/deploy.md goes by this tag.
var removable = { 'azd-env-name': environmentName, 'pigment-export': 'removable' }
var data = { 'azd-env-name': environmentName, 'pigment-export': 'data' }

module identity 'modules/identity.bicep' = {
  params: { name: 'id-pigment-${token}', location: location, tags: removable }
}

module monitoring 'modules/monitoring.bicep' = {
  params: {
    workspaceName: 'log-pigment-${token}'
    componentName: componentName
    location: location
    tags: removable
    retentionDays: scale.?logRetentionDays ?? 90
    dailyLimitGb: scale.?dailyLogLimitGb ?? 1
  }
}

module hostStorage 'modules/host-storage.bicep' = {
  params: {
    name: hostStorageName
    location: location
    tags: removable
    packageContainer: packageContainer
    queueName: queueName
    sku: storageSku
    public: !privateNetwork
    workspaceId: monitoring.outputs.workspaceId
  }
}

module newVaultModule 'modules/vault.bicep' = if (newVault) {
  params: {
    name: vaultName
    location: location
    tags: data
    public: !privateNetwork
    lock: lockData
    workspaceId: monitoring.outputs.workspaceId
  }
}

module newLakeModule 'modules/lake.bicep' = if (newLake) {
  params: {
    name: lakeAccount
    location: location
    tags: data
    fileSystem: fileSystem
    sku: storageSku
    public: !privateNetwork
    lock: lockData
    workspaceId: monitoring.outputs.workspaceId
  }
}

module privateLinks 'modules/private-network.bicep' = if (privateNetwork) {
  params: {
    token: token
    location: location
    tags: removable
    network: network
    hostStorageId: resourceId('Microsoft.Storage/storageAccounts', hostStorageName)
    vaultId: resourceId(vaultSubscription, vaultGroup, 'Microsoft.KeyVault/vaults', vaultName)
    lakeId: resourceId(lakeSubscription, lakeGroup, 'Microsoft.Storage/storageAccounts', lakeAccount)
    newVault: newVault
    newLake: newLake
  }
  dependsOn: [hostStorage, newVaultModule, newLakeModule]
}

module rbac 'rbac.bicep' = {
  params: {
    #disable-next-line what-if-short-circuiting // a name that follows the principal is worth more than a forecast
    principalId: identity.outputs.principalId
    hostStorageName: hostStorageName
    queueNames: [queueName, '${queueName}-poison']
    componentName: componentName
    vaultName: vaultName
    vaultGroup: vaultGroup
    vaultSubscription: vaultSubscription
    newVault: newVault
    secretNames: union([keySecret], listed(vault.?secretNames))
    lakeAccount: lakeAccount
    lakeGroup: lakeGroup
    lakeSubscription: lakeSubscription
    fileSystem: fileSystem
    assignOwn: assignRoles
    assignVault: newVault ? assignRoles : assignVaultRoles
    assignLake: newLake ? assignRoles : assignLakeRoles
    operatorId: operator.?id ?? ''
    operatorType: orElse(operator.?type, 'User')
  }
  dependsOn: [hostStorage, monitoring, newVaultModule, newLakeModule]
}

module functionApp 'modules/function-app.bicep' = {
  params: {
    name: 'func-pigment-${token}'
    location: location
    tags: removable
    identity: {
      id: identity.outputs.id
      clientId: identity.outputs.clientId
      principalId: identity.outputs.principalId
    }
    hostStorageName: hostStorageName
    packageContainer: packageContainer
    componentName: componentName
    workspaceId: monitoring.outputs.workspaceId
    subnetId: privateNetwork ? privateLinks!.outputs.appSubnetId : ''
    maximumInstanceCount: scale.?maximumInstanceCount ?? 10
    instanceMemoryMB: scale.?instanceMemoryMB ?? 2048
    clientId: clientId
    allowedApplications: listed(callers.?applications)
    allowedPrincipals: listed(callers.?principals)
    settings: {
      PIGMENT_BASE_URL: orElse(exports.?pigmentBaseUrl, 'https://pigment.app')
      KEY_VAULT_URL: 'https://${vaultName}${environment().suffixes.keyvaultDns}'
      PIGMENT_KEY_SECRET: keySecret
      DATA_LAKE_URL: 'https://${lakeAccount}.dfs.${environment().suffixes.storage}'
      DATA_LAKE_FILE_SYSTEM: fileSystem
      DATA_LAKE_ROOT: lake.?root ?? ''
      EXPORTS_FILE: orElse(exports.?catalog, 'exports.toml')
      EXPORT_SCHEDULE: orElse(exports.?schedule, '0 0 6 * * *')
      EXPORT_SCHEDULE_GROUPS: exports.?scheduleGroups ?? ''
      EXPORT_QUEUE: queueName
      EXPORT_PATH: orElse(exports.?path, '{name}/dt={date}/{name}.csv')
      EXPORT_TIME_ZONE: orElse(exports.?timeZone, 'UTC')
      ALLOW_INLINE_EXPORTS: orElse(exports.?allowInline, 'false')
      RUN_HOURS: orElse(exports.?runHours, '6')
      FRESHNESS_HOURS: orElse(exports.?freshnessHours, '26')
      RETENTION_DAYS: orElse(exports.?retentionDays, '90')
      PUBLIC_BASE_URL: exports.?publicBaseUrl ?? ''
      // Behind Entra the platform has checked the caller; without it, a function key is asked for.
      HTTP_AUTH_LEVEL: empty(clientId) ? 'FUNCTION' : 'ANONYMOUS'
    }
  }
  // The first start finds its rights in place.
  dependsOn: [rbac]
}

module alerting 'modules/alerting.bicep' = {
  params: {
    token: token
    location: location
    tags: removable
    workspaceId: monitoring.outputs.workspaceId
    actionGroupId: alerts.?actionGroupId ?? ''
    emails: listed(alerts.?emails)
  }
}

var vaultEventsLocation = newVault ? location : (alerts.?existingVaultLocation ?? '')
var someoneIsTold = !empty(alerts.?actionGroupId) || !empty(alerts.?emails)
module secretExpiry 'modules/secret-expiry.bicep' = if (!empty(vaultEventsLocation) && someoneIsTold) {
  scope: resourceGroup(vaultSubscription, vaultGroup)
  params: {
    name: 'evgt-pigment-${token}'
    location: vaultEventsLocation
    tags: removable
    vaultName: vaultName
    actionGroupId: alerting.outputs.actionGroupId
  }
  dependsOn: [newVaultModule]
}

@description('Name of the function app.')
output appName string = functionApp.outputs.name

@description('Address of the function app.')
output appUrl string = functionApp.outputs.url

@description('Name of the vault, new or existing.')
output vaultName string = vaultName

@description('Address of the lake, new or existing.')
output lakeUrl string = 'https://${lakeAccount}.dfs.${environment().suffixes.storage}'

@description('Object id of the app\'s identity.')
output identityPrincipalId string = identity.outputs.principalId

@description('The address to put on Pigment\'s allow list; empty where it is not ours.')
output outgoingAddress string = privateNetwork ? privateLinks!.outputs.outgoingAddress : ''

@description('Role assignments that this deployment did not make: commands for whoever may.')
output roleCommands string[] = rbac.outputs.commands
