// Everything that the app needs, in one resource group. Resources of other teams are only referenced.
// The modules are listed in the order in which they are created; docs/deploy.md has a diagram and the permissions for each.
import {
  alertOptions
  callerOptions
  encryptionOptions
  exportOptions
  lakeOptions
  logOptions
  networkOptions
  operatorOptions
  scaleOptions
  vaultOptions
  hasRecord
  listed
  orElse
  recordedServices
} from 'types.bicep'

@description('Name of this deployment; resource names are derived from it.')
@minLength(2)
@maxLength(32)
param environmentName string

@description('Azure region of the new resources. Default: the resource group\'s.')
param location string = resourceGroup().location

@description('The vault with the Pigment key.')
param vault vaultOptions = {}

@description('The lake that the files are written to.')
param lake lakeOptions = {}

@description('Settings of the app.')
param exports exportOptions = {}

@description('Who can call the app over HTTP.')
param callers callerOptions = {}

@description('Gives vault, lake and host storage private endpoints, disables their public addresses, and gives the app a fixed outgoing address.')
param privateNetwork bool = false

@description('The private network.')
param network networkOptions = {}

@description('Whether to assign roles on the new resources. If false (the deployer is not allowed to), an output has the commands for an owner.')
param assignRoles bool = true

@description('Whether to assign roles on the secrets of an existing vault. If false, an output has the commands for its owner.')
param assignVaultRoles bool = false

@description('Whether to assign the role on an existing lake\'s file system. If false, an output has the command for its owner.')
param assignLakeRoles bool = false

@description('Whether a new vault and a new lake get a CanNotDelete lock, which only an Owner or User Access Administrator can create.')
param lockData bool = true

@description('A person, group or service that can set secrets in a new vault.')
param operator operatorOptions = {}

@description('Recipients of alerts.')
param alerts alertOptions = {}

@description('Destination and volume of logs.')
param logs logOptions = {}

@description('Number and size of instances, and storage redundancy.')
param scale scaleOptions = {}

@description('Customer-managed key for the storage accounts that this deployment creates.')
param encryption encryptionOptions = {}

@description('Additional tags for all new resources.')
param tags { *: string } = {}

@description('Your own names for the new resources, by the keys of `prefixes` in main.bicep.')
param names { *: string } = {}

var newVault = empty(vault.?name)
var newLake = empty(lake.?account)
var told = !empty(alerts.?actionGroupId) || !empty(alerts.?emails)
var routes = alerts.?routes ?? []
var clientId = callers.?clientId ?? ''

// A name is a prefix and this deployment's token; `names` replaces whole names.
var prefixes = {
  app: 'func-pigment-'
  plan: 'plan-func-pigment-'
  identity: 'id-pigment-'
  hostStorage: 'stpig'
  vault: 'kv-pig-'
  lake: 'lakepig'
  workspace: 'log-pigment-'
  component: 'appi-pigment-'
  actionGroup: 'ag-pigment-'
  eventTopic: 'evgt-pigment-'
  virtualNetwork: 'vnet-pigment-'
  natGateway: 'ng-pigment-'
  publicAddress: 'pip-pigment-'
  securityGroup: 'nsg-pigment-'
}

var zonesWanted = privateNetwork && !empty(network.?appSubnetId) ? recordedServices(network, newVault, newLake) : []
var zonesMissing = filter(zonesWanted, service => empty(network.?dnsZoneIds[?service]))

// Incomplete or contradictory parameters: the deployment fails before it creates anything. Every name below depends on this.
var halves = {
  'vault.name: missing, though its group, subscription or region is given': newVault && !empty('${vault.?resourceGroup}${vault.?subscriptionId}${alerts.?existingVaultLocation}')
  'vault.resourceGroup: missing, though its subscription is given': !empty(vault.?subscriptionId) && empty(vault.?resourceGroup)
  'lake.account: missing, though its group or subscription is given': newLake && !empty('${lake.?resourceGroup}${lake.?subscriptionId}')
  'lake.resourceGroup: missing, though its subscription is given': !empty(lake.?subscriptionId) && empty(lake.?resourceGroup)
  'lake.recordDays: allowed only with a new lake': !newLake && lake.?recordDays != null
  'operator: allowed only with a new vault': !newVault && !empty(operator.?id)
  'operator.id: missing, though its type is given': empty(operator.?id) && !empty(operator.?type)
  'network: allowed only with privateNetwork': !privateNetwork && !empty(network)
  'network.appSubnetId, network.endpointSubnetId: one is missing': empty(network.?appSubnetId) != empty(network.?endpointSubnetId)
  'network.addressSpace: allowed only with a new network': !empty(network.?addressSpace) && !empty(network.?appSubnetId)
  'network.dnsZoneIds: not allowed with network.dnsByPolicy': (network.?dnsByPolicy ?? false) && !empty(network.?dnsZoneIds)
  'network.dnsZoneIds: ${join(zonesMissing, ', ')} missing, and a second zone would hide the first from the whole network': !empty(zonesMissing)
  'callers.clientId: missing, though applications or principals are given': empty(clientId) && !empty('${callers.?applications}${callers.?principals}')
  'callers.applications: missing, though callers.clientId is given': !empty(clientId) && empty(callers.?applications)
  'alerts.existingVaultLocation, alerts.routes: alerts.emails or alerts.actionGroupId is missing': !told && (!empty(alerts.?existingVaultLocation) || !empty(routes))
  'alerts.routes: each needs either an owner or a group': !empty(filter(
    routes,
    route => empty(route.?owner) == empty(route.?group)
  ))
  'logs.retentionDays, logs.dailyLimitGb: allowed only with a new workspace': !empty(logs.?workspaceId) && (logs.?retentionDays != null || logs.?dailyLimitGb != null)
  'encryption.keyUri, encryption.identityId: one is missing': empty(encryption.?keyUri) != empty(encryption.?identityId)
  'names: an unknown key': !empty(filter(objectKeys(names), key => !contains(objectKeys(prefixes), key)))
}
var problems = map(filter(items(halves), half => half.value), half => half.key)
var token = empty(problems) ? uniqueString(resourceGroup().id, environmentName) : fail(join(problems, '; '))
var name = union(toObject(items(prefixes), item => item.key, item => '${item.value}${token}'), names)

// The app's default queue. The host derives the name of the poison queue from it.
var queueName = 'pigment-exports'
var packageContainer = 'app-package'
var fileSystem = orElse(lake.?fileSystem, 'pigment')
var keySecret = orElse(exports.?keySecret, 'pigment-api-key')
var storageSku = scale.?storageSku ?? 'Standard_ZRS'
var theVault = {
  name: orElse(vault.?name, name.vault)
  resourceGroup: orElse(vault.?resourceGroup, resourceGroup().name)
  subscriptionId: orElse(vault.?subscriptionId, subscription().subscriptionId)
  isNew: newVault
}
var theLake = {
  name: orElse(lake.?account, name.lake)
  resourceGroup: orElse(lake.?resourceGroup, resourceGroup().name)
  subscriptionId: orElse(lake.?subscriptionId, subscription().subscriptionId)
  isNew: newLake
}

// The removal in docs/deploy.md selects by this tag: it deletes `removable` resources, and never `data`.
var removable = union(tags, { 'azd-env-name': environmentName, 'pigment-export': 'removable' })
var place = { location: location, tags: removable, workspaceId: monitoring.outputs.workspaceId }
var dataPlace = union(place, { tags: union(removable, { 'pigment-export': 'data' }) })

// User-assigned, so that its roles exist before the app first starts, and remain if the app is created again.
resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name.identity
  location: location
  tags: removable
}

module monitoring 'modules/monitoring.bicep' = {
  params: {
    workspaceName: name.workspace
    componentName: name.component
    location: location
    tags: removable
    logs: logs
  }
}

module hostStorage 'modules/host-storage.bicep' = {
  params: {
    name: name.hostStorage
    place: place
    packageContainer: packageContainer
    queueName: queueName
    sku: storageSku
    public: !privateNetwork
    encryption: encryption
  }
}

module vaultIfNew 'modules/vault.bicep' = if (newVault) {
  params: { name: theVault.name, place: dataPlace, public: !privateNetwork, lock: lockData }
}

module lakeIfNew 'modules/lake.bicep' = if (newLake) {
  params: {
    name: theLake.name
    place: dataPlace
    fileSystem: fileSystem
    recordDays: lake.?recordDays ?? 0
    recordFolder: '${empty(lake.?root) ? '' : '${lake.?root}/'}_runs/'
    sku: storageSku
    public: !privateNetwork
    lock: lockData
    encryption: encryption
  }
}

module privateLinks 'modules/private-network.bicep' = if (privateNetwork) {
  params: {
    names: name
    place: place
    network: network
    hostStorageId: resourceId('Microsoft.Storage/storageAccounts', name.hostStorage)
    vault: theVault
    lake: theLake
  }
  dependsOn: [hostStorage, vaultIfNew, lakeIfNew]
}

module rbac 'rbac.bicep' = {
  params: {
    #disable-next-line what-if-short-circuiting // a name derived from the principal matters more than a complete what-if
    principalId: identity.properties.principalId
    hostStorageName: name.hostStorage
    queueNames: [queueName, '${queueName}-poison']
    componentName: name.component
    vault: theVault
    secretNames: union([keySecret], listed(vault.?secretNames))
    lake: theLake
    fileSystem: fileSystem
    lakeRoleId: lake.?roleId ?? ''
    assignOwn: assignRoles
    assignVault: newVault ? assignRoles : assignVaultRoles
    assignLake: newLake ? assignRoles : assignLakeRoles
    operator: operator
  }
  dependsOn: [hostStorage, monitoring, vaultIfNew, lakeIfNew]
}

module functionApp 'modules/function-app.bicep' = {
  params: {
    name: name.app
    planName: name.plan
    place: place
    identity: {
      id: identity.id
      clientId: identity.properties.clientId
      principalId: identity.properties.principalId
    }
    hostStorageName: name.hostStorage
    packageContainer: packageContainer
    componentName: name.component
    subnetId: privateNetwork ? privateLinks!.outputs.appSubnetId : ''
    public: network.?inbound != 'private'
    scale: scale
    callers: callers
    settings: {
      PIGMENT_BASE_URL: orElse(exports.?pigmentBaseUrl, 'https://pigment.app')
      KEY_VAULT_URL: 'https://${theVault.name}${environment().suffixes.keyvaultDns}'
      PIGMENT_KEY_SECRET: keySecret
      DATA_LAKE_URL: 'https://${theLake.name}.dfs.${environment().suffixes.storage}'
      DATA_LAKE_FILE_SYSTEM: fileSystem
      DATA_LAKE_ROOT: lake.?root ?? ''
      EXPORTS_FILE: orElse(exports.?catalog, 'exports.toml')
      EXPORT_SCHEDULE: orElse(exports.?schedule, '0 6 * * *')
      EXPORT_QUEUE: queueName
      EXPORT_PATH: orElse(exports.?path, '{name}/dt={date}/{name}.csv')
      EXPORT_TIME_ZONE: orElse(exports.?timeZone, 'UTC')
      ALLOW_INLINE_EXPORTS: orElse(exports.?allowInline, 'false')
      RUN_HOURS: orElse(exports.?runHours, '6')
      FRESHNESS_HOURS: orElse(exports.?freshnessHours, '6')
      RETENTION_DAYS: orElse(exports.?retentionDays, '90')
      PUBLIC_BASE_URL: exports.?publicBaseUrl ?? ''
      // With Entra, the platform has already checked the caller; without it, the host requires a function key.
      HTTP_AUTH_LEVEL: empty(clientId) ? 'FUNCTION' : 'ANONYMOUS'
    }
  }
  // So that the roles are in place at the first start.
  dependsOn: [rbac]
}

module inbound 'modules/private-endpoint.bicep' = if (network.?inbound == 'private') {
  params: {
    name: 'pe-${name.app}'
    place: place
    subnetId: privateLinks!.outputs.endpointSubnetId
    target: {
      id: resourceId('Microsoft.Web/sites', name.app)
      service: 'sites'
      isNew: true
      hasRecord: hasRecord(network, 'sites', true)
    }
    zoneId: privateLinks!.outputs.sitesZoneId
  }
  dependsOn: [functionApp]
}

module alerting 'modules/alerting.bicep' = {
  params: {
    token: token
    groupName: name.actionGroup
    place: place
    componentId: resourceId('Microsoft.Insights/components', name.component)
    alerts: alerts
  }
}

var vaultEventsLocation = newVault ? location : (alerts.?existingVaultLocation ?? '')
module secretExpiry 'modules/secret-expiry.bicep' = if (!empty(vaultEventsLocation) && told) {
  scope: resourceGroup(theVault.subscriptionId, theVault.resourceGroup)
  params: {
    name: name.eventTopic
    location: vaultEventsLocation
    tags: removable
    vaultName: theVault.name
    actionGroupId: alerting.outputs.actionGroupId
  }
  dependsOn: [vaultIfNew]
}

@description('Name of the function app.')
output appName string = functionApp.outputs.name

@description('Address of the function app.')
output appUrl string = functionApp.outputs.url

@description('Name of the vault, new or existing.')
output vaultName string = theVault.name

@description('Address of the lake, new or existing.')
output lakeUrl string = 'https://${theLake.name}.dfs.${environment().suffixes.storage}'

@description('Object id of the app\'s identity.')
output identityPrincipalId string = identity.properties.principalId

@description('The address to put on Pigment\'s allow list; empty if the deployment does not create the network.')
output outgoingAddress string = privateNetwork ? privateLinks!.outputs.outgoingAddress : ''

@description('Commands for the role assignments that this deployment did not make, for the owner of each scope.')
output roleCommands string[] = rbac.outputs.commands

@description('Problems that do not fail the deployment.')
output warnings string[] = told
  ? []
  : ['No alert reaches a person: set ALERT_EMAILS or ALERT_ACTION_GROUP_ID, then provision again.']
