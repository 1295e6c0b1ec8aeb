// Types of main.bicep's parameters and of the values that its modules pass on. Members of parameters are optional and can be empty.

@export()
@description('The vault with the Pigment key, in any resource group and subscription. Without a name, a new vault is created.')
@sealed()
type vaultOptions = {
  @description('Name of an existing vault. Default: a new one is created.')
  name: string?

  @description('Resource group of an existing vault. Default: the app\'s.')
  resourceGroup: string?

  @description('Subscription of an existing vault; requires `vault.resourceGroup`. Default: the app\'s.')
  subscriptionId: string?

  @description('Secrets of an existing vault that the app may read besides `exports.keySecret`, separated by commas: those that exports.toml names. In a new vault the app may read every secret, because a role cannot be assigned on a secret that does not exist yet.')
  secretNames: string?
}

@export()
@description('The lake that the files are written to. Without an account, a new one is created.')
@sealed()
type lakeOptions = {
  @description('Name of an existing storage account with a hierarchical namespace. Default: a new one is created.')
  account: string?

  @description('Resource group of an existing lake. Default: the app\'s.')
  resourceGroup: string?

  @description('Subscription of an existing lake; requires `lake.resourceGroup`. Default: the app\'s.')
  subscriptionId: string?

  @description('The file system (container), preferably one that only the app uses; in an existing account it must exist. Default: pigment.')
  fileSystem: string?

  @description('Folder that contains everything the app writes. Default: the file system\'s root.')
  root: string?

  @description('Id (GUID) of the role to assign on the file system instead of Storage Blob Data Contributor, for example that of docs/lake-role.json.')
  roleId: string?

  @description('Days after which a lifecycle rule of a new lake deletes run records; must be more than `exports.retentionDays`. Default: no rule. Published files are never deleted.')
  recordDays: int?
}

@export()
@description('Settings of the app; docs/settings.md explains each. All are strings, as app settings are.')
@sealed()
type exportOptions = {
  @description('PIGMENT_BASE_URL: origin of Pigment\'s API.')
  pigmentBaseUrl: string?

  @description('PIGMENT_KEY_SECRET: the secret that holds the key.')
  keySecret: string?

  @description('EXPORTS_FILE: path of the catalog in the package, or lake:PATH.')
  catalog: string?

  @description('EXPORT_SCHEDULE: five cron fields, in EXPORT_TIME_ZONE; `none` turns the schedule off. An export can have its own schedule.')
  schedule: string?

  @description('EXPORT_PATH: template of a published file\'s path.')
  path: string?

  @description('EXPORT_TIME_ZONE: time zone of the schedules and of a file\'s date.')
  timeZone: string?

  @description('ALLOW_INLINE_EXPORTS: if true, a caller can define an export in the call, and so read everything that the owner of the key sees.')
  allowInline: string?

  @description('RUN_HOURS: hours until a run expires.')
  runHours: string?

  @description('FRESHNESS_HOURS: hours after a scheduled time within which an export must succeed; after that it is stale.')
  freshnessHours: string?

  @description('RETENTION_DAYS: days for which records and held files are kept.')
  retentionDays: string?

  @description('PUBLIC_BASE_URL: base of the addresses in HTTP responses. Default: the app\'s own.')
  publicBaseUrl: string?
}

@export()
@description('A person, group or service that can set secrets in a new vault.')
@sealed()
type operatorOptions = {
  @description('Object id of a person, group or service that gets Key Vault Secrets Officer on a new vault. Default: no one.')
  id: string?

  @description('Type of that principal: User (default), Group or ServicePrincipal.')
  type: string?
}

@export()
@description('Who can call the app over HTTP.')
@sealed()
type callerOptions = {
  @description('Client id of the app registration for which callers request tokens. Default: function keys instead of Entra.')
  clientId: string?

  @description('Client ids of the applications that can call, separated by commas. Required with `callers.clientId`, because any application of the tenant can get a token.')
  applications: string?

  @description('Object ids of the principals that can call, separated by commas. A caller must then be in both lists. Default: only the applications are checked.')
  principals: string?

  @description('Addresses (203.0.113.7), ranges (10.1.0.0/16) and service tags (DataFactory.WestEurope) that can call, separated by commas. Default: any. A token or a key is required in every case.')
  addresses: string?
}

@export()
@description('The private network; requires `privateNetwork`.')
@sealed()
type networkOptions = {
  @description('Address space of a new virtual network, /24 or larger. Default: 10.42.0.0/24. The first /26 is the app\'s subnet, the second that of the endpoints.')
  addressSpace: string?

  @description('Id of an existing subnet for the app, /27 or larger and delegated to Microsoft.App/environments; requires `network.endpointSubnetId`. The network\'s owner then decides from which address the app calls Pigment.')
  appSubnetId: string?

  @description('Id of an existing subnet for the private endpoints; requires `network.appSubnetId`.')
  endpointSubnetId: string?

  @description('Ids of existing private DNS zones by service: `blob`, `dfs`, `queue`, `table`, `vault`, `sites`. For a new network, missing zones are created; for existing subnets, all zones that are needed must be given.')
  dnsZoneIds: dnsZoneOptions?

  @description('True if policies of the landing zone write the DNS records: no zones and no zone groups are created.')
  dnsByPolicy: bool?

  @description('Whether to create a private endpoint for an existing vault, which the vault\'s owner has to approve. Default: false, the network reaches the vault already.')
  vaultEndpoint: bool?

  @description('Whether to create private endpoints for an existing lake, which the lake\'s owner has to approve. Default: false, the network reaches the lake already.')
  lakeEndpoints: bool?

  @description('Whether those endpoints also write their records into a DNS zone that you gave. This replaces the record with which everyone else in that zone resolves the vault or lake, and removing the endpoint deletes it.')
  foreignRecords: bool?

  @description('`private`: the app has a private endpoint and no public address; deploy from inside the network. Default: `public`.')
  inbound: ('public' | 'private')?
}

@export()
@description('Private DNS zones by service.')
@sealed()
type dnsZoneOptions = {
  @description('privatelink.blob.…')
  blob: string?

  @description('privatelink.dfs.…')
  dfs: string?

  @description('privatelink.queue.…')
  queue: string?

  @description('privatelink.table.…')
  table: string?

  @description('privatelink.vaultcore.azure.net')
  vault: string?

  @description('privatelink.azurewebsites.net')
  sites: string?
}

@export()
@description('Recipients of alerts.')
@sealed()
type alertOptions = {
  @description('Id of an existing action group. Default: a new one is created if `alerts.emails` is set.')
  actionGroupId: string?

  @description('Mail addresses for a new action group, separated by commas.')
  emails: string?

  @description('Region of an existing vault. If set, Event Grid also notifies about secrets near their expiry, with a system topic in the vault\'s group; a vault can have only one. Default: only the app reports them.')
  existingVaultLocation: string?

  @description('Action groups for the alerts about the exports of one owner, or of one group of the catalog. These alerts then do not go to the default action group.')
  routes: routeOptions[]?
}

@export()
@description('The action group for one owner\'s or one group\'s alerts.')
@sealed()
type routeOptions = {
  @description('An `owner` of exports.toml. Give this or `group`.')
  owner: string?

  @description('One of the `groups` in exports.toml. Give this or `owner`.')
  group: string?

  @description('Id of the action group.')
  actionGroupId: string
}

@export()
@description('Destination and volume of logs.')
@sealed()
type logOptions = {
  @description('Id of an existing Log Analytics workspace, whose owner sets retention and limit. Default: a new one is created.')
  workspaceId: string?

  @description('Days for which logs are kept. Default: 90.')
  retentionDays: int?

  @description('Daily limit of logs in GB; beyond it all logs are dropped, audit logs included. Default: 1.')
  dailyLimitGb: int?
}

@export()
@description('Number and size of instances, and storage redundancy.')
@sealed()
type scaleOptions = {
  @description('Maximum number of instances for each queue or timer function, and for all HTTP functions together. Default: 10, because Pigment answers 500 requests in 5 minutes. Some regions require at least 40.')
  maximumInstanceCount: int?

  @description('Memory of an instance in MB: 512, 2048 (default) or 4096.')
  instanceMemoryMB: (512 | 2048 | 4096)?

  @description('Redundancy of host storage and of a new lake: Standard_ZRS (default), Standard_GZRS to replicate to a second region, Standard_LRS for a region without availability zones.')
  storageSku: ('Standard_LRS' | 'Standard_ZRS' | 'Standard_GZRS')?
}

@export()
@description('Customer-managed key for the storage accounts that this deployment creates.')
@sealed()
type encryptionOptions = {
  @description('Address of the key without its version: https://VAULT.vault.azure.net/keys/NAME. The vault needs purge protection.')
  keyUri: string?

  @description('Id of a user-assigned identity with Key Vault Crypto Service Encryption User on the key; requires `encryption.keyUri`.')
  identityId: string?
}

@export()
@description('Region, tags and log workspace, for every module.')
type placeOptions = {
  @description('Region.')
  location: string

  @description('Tags.')
  tags: { *: string }

  @description('Workspace for logs.')
  workspaceId: string
}

@export()
@description('A vault or a storage account, new or existing.')
type targetOptions = {
  @description('Name.')
  name: string

  @description('Its resource group.')
  resourceGroup: string

  @description('Its subscription.')
  subscriptionId: string

  @description('Whether this deployment creates it.')
  isNew: bool
}

@export()
@description('Target of a private endpoint.')
type linkOptions = {
  @description('Resource id.')
  id: string

  @description('The target\'s service.')
  service: string

  @description('Whether this deployment creates it, so that the endpoint needs no approval.')
  isNew: bool

  @description('Whether the endpoint writes a DNS record.')
  hasRecord: bool
}

@export()
@description('The app\'s identity, for role assignments and settings.')
type identityOptions = {
  @description('Resource id.')
  id: string

  @description('Client id.')
  clientId: string

  @description('Object id.')
  principalId: string
}

@export()
@description('The text, or the fallback if it is missing or empty.')
func orElse(text string?, fallback string) string => empty(text) ? fallback : text!

@export()
@description('The items of a comma-separated list, each once.')
func listed(text string?) string[] =>
  union(filter(map(split(text ?? '', ','), item => trim(item)), item => !empty(item)), [])

@export()
@description('Encryption of a storage account with a customer-managed key; null: with Microsoft\'s key. The setting for queues and tables cannot be changed after the account is created.')
func encryptedBy(encryption encryptionOptions) resourceInput<'Microsoft.Storage/storageAccounts@2026-06-01'>.properties.encryption? =>
  empty(encryption.?keyUri)
    ? null
    : {
        keySource: 'Microsoft.Keyvault'
        keyvaultproperties: {
          keyvaulturi: 'https://${split(encryption.keyUri!, '/')[2]}'
          keyname: split(encryption.keyUri!, '/')[4]
        }
        identity: { userAssignedIdentity: encryption.identityId! }
        services: {
          blob: { keyType: 'Account' }
          file: { keyType: 'Account' }
          queue: { keyType: 'Account' }
          table: { keyType: 'Account' }
        }
      }

@export()
@description('The identity that reads the customer-managed key.')
func keyReader(encryption encryptionOptions) resourceInput<'Microsoft.Storage/storageAccounts@2026-06-01'>.identity? =>
  empty(encryption.?identityId)
    ? null
    : { type: 'UserAssigned', userAssignedIdentities: { '${encryption.identityId!}': {} } }

@export()
@description('Services of the lake that get an endpoint. The app needs both: it writes files through dfs, and records with conditions of the blob endpoint.')
func lakeServices(network networkOptions, isNew bool) string[] =>
  isNew || (network.?lakeEndpoints ?? false) ? ['blob', 'dfs'] : []

@export()
@description('Services of the vault that get an endpoint.')
func vaultServices(network networkOptions, isNew bool) string[] =>
  isNew || (network.?vaultEndpoint ?? false) ? ['vault'] : []

@export()
@description('Whether this deployment writes a DNS record for an endpoint. For another team\'s vault or lake it does so only in a zone of a network that it creates, unless `network.foreignRecords` is true: a shared zone has one record for everyone.')
func hasRecord(network networkOptions, service string, isNew bool) bool =>
  !(network.?dnsByPolicy ?? false) && (isNew || (network.?foreignRecords ?? false) || (empty(network.?appSubnetId) && empty(network.?dnsZoneIds[?service])))

@export()
@description('Services that need a DNS zone.')
func recordedServices(network networkOptions, newVault bool, newLake bool) string[] =>
  union(
    filter(
      concat(['blob', 'queue', 'table'], network.?inbound == 'private' ? ['sites'] : []),
      service => hasRecord(network, service, true)
    ),
    filter(lakeServices(network, newLake), service => hasRecord(network, service, newLake)),
    filter(vaultServices(network, newVault), service => hasRecord(network, service, newVault))
  )
