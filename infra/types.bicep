// The shapes of main.bicep's parameters, and of what its modules hand on. Each member of a parameter may be left out or empty.

@export()
@description('Where the Pigment key is. Without a name: a new vault. In this group or another, of any subscription.')
@sealed()
type vaultOptions = {
  @description('Name of an existing vault; empty: a new one is made.')
  name: string?

  @description('Resource group of an existing vault; empty: the app\'s.')
  resourceGroup: string?

  @description('Subscription of an existing vault, with `vault.resourceGroup`; empty: the app\'s.')
  subscriptionId: string?

  @description('Secrets of an existing vault that the app may read besides `exports.keySecret`, separated by commas: those that exports.toml names. In a new vault the app may read every secret: a secret that does not exist yet can carry no role.')
  secretNames: string?
}

@export()
@description('Where the files go. Without an account: a new one.')
@sealed()
type lakeOptions = {
  @description('Name of an existing storage account with a hierarchical namespace; empty: a new one is made.')
  account: string?

  @description('Resource group of an existing lake; empty: the app\'s.')
  resourceGroup: string?

  @description('Subscription of an existing lake, with `lake.resourceGroup`; empty: the app\'s.')
  subscriptionId: string?

  @description('The file system (container), best one of the app\'s own; in an existing account it must exist. Empty: pigment.')
  fileSystem: string?

  @description('Folder below which everything is kept; empty: the file system\'s root.')
  root: string?

  @description('Id (GUID) of a role to give on the file system instead of Storage Blob Data Contributor, such as that of docs/lake-role.json.')
  roleId: string?

  @description('Days after which a new lake deletes run records by itself, more than `exports.retentionDays`; missing: never. Published files are never deleted.')
  recordDays: int?
}

@export()
@description('What the app does; docs/settings.md explains each. Strings, as app settings are.')
@sealed()
type exportOptions = {
  @description('PIGMENT_BASE_URL: origin of the API of Pigment.')
  pigmentBaseUrl: string?

  @description('PIGMENT_KEY_SECRET: the secret that holds the key.')
  keySecret: string?

  @description('EXPORTS_FILE: a path in the package, or lake:PATH.')
  catalog: string?

  @description('EXPORT_SCHEDULE: five cron fields, in EXPORT_TIME_ZONE; `none`: never. An export may have a schedule of its own.')
  schedule: string?

  @description('EXPORT_PATH: where a file goes.')
  path: string?

  @description('EXPORT_TIME_ZONE: the time zone of schedules and of a file\'s date.')
  timeZone: string?

  @description('ALLOW_INLINE_EXPORTS: true lets a caller define an export, and so read everything that the owner of the key sees.')
  allowInline: string?

  @description('RUN_HOURS: hours until a run expires.')
  runHours: string?

  @description('FRESHNESS_HOURS: hours after an occurrence of its schedule by which an export must have succeeded; else it is stale.')
  freshnessHours: string?

  @description('RETENTION_DAYS: days that records and held files are kept.')
  retentionDays: string?

  @description('PUBLIC_BASE_URL: the address that answers name; empty: the app\'s own.')
  publicBaseUrl: string?
}

@export()
@description('A person, group or service that may set secrets in a new vault.')
@sealed()
type operatorOptions = {
  @description('Object id of a person, group or service to make Key Vault Secrets Officer of a new vault; empty: no one.')
  id: string?

  @description('What that is: User (where empty), Group or ServicePrincipal.')
  type: string?
}

@export()
@description('Who may call the app over HTTP.')
@sealed()
type callerOptions = {
  @description('Client id of the app registration that callers ask a token for; empty: function keys instead of Entra.')
  clientId: string?

  @description('Client ids of the applications that may call, separated by commas; needed with `callers.clientId`, since any application of the tenant can get a token.')
  applications: string?

  @description('Object ids of the principals that may call, separated by commas. A caller must then be in both lists. Empty: the applications alone decide.')
  principals: string?

  @description('Address ranges (10.1.0.0/16) and service tags (DataFactory.WestEurope) that may call, separated by commas; empty: any. Entra or a key is asked for all the same.')
  addresses: string?
}

@export()
@description('Where the private network lies. Goes with `privateNetwork`.')
@sealed()
type networkOptions = {
  @description('Address space of a new virtual network, /24 or larger; empty: 10.42.0.0/24. Its first /26 is the app\'s, the next one that of the endpoints.')
  addressSpace: string?

  @description('Id of an existing subnet for the app, delegated to Microsoft.App/environments, /27 or larger; with `network.endpointSubnetId`. The network\'s owner then decides from which address the app calls Pigment.')
  appSubnetId: string?

  @description('Id of an existing subnet for the private endpoints; with `network.appSubnetId`.')
  endpointSubnetId: string?

  @description('Ids of existing private DNS zones by service: `blob`, `dfs`, `queue`, `table`, `vault`, `sites`. A new network gets those that are missing; in existing subnets all that are needed must be given.')
  dnsZoneIds: dnsZoneOptions?

  @description('Whether policies of the landing zone write the DNS records: no zones and no zone groups are made.')
  dnsByPolicy: bool?

  @description('Whether an existing vault gets a private endpoint here, which its owner has to approve; false (where missing): the network reaches it already.')
  vaultEndpoint: bool?

  @description('Whether an existing lake gets private endpoints here, which its owner has to approve; false (where missing): the network reaches it already.')
  lakeEndpoints: bool?

  @description('Whether those endpoints also write their record into a given DNS zone. It replaces the record by which everyone else on that zone finds the vault or lake, and a removal clears it.')
  foreignRecords: bool?

  @description('`private`: the app itself has a private endpoint and no public address; deploy from inside the network. `public` where missing.')
  inbound: ('public' | 'private')?
}

@export()
@description('Private DNS zones by the service that they resolve.')
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
@description('Who is told.')
@sealed()
type alertOptions = {
  @description('Id of an existing action group; empty: one is made if there are addresses.')
  actionGroupId: string?

  @description('Mail addresses of a new action group, separated by commas.')
  emails: string?

  @description('Region of an existing vault, to have Event Grid announce its secrets near their expiry; empty: only the app does. A vault has one such topic only; it is made in the vault\'s group.')
  existingVaultLocation: string?

  @description('Alerts about the exports of one owner, or of one group of the catalog, go to an action group of their own, and not to the first one.')
  routes: routeOptions[]?
}

@export()
@description('One owner\'s or one group\'s alerts.')
@sealed()
type routeOptions = {
  @description('`owner` as exports.toml has it; or `group`.')
  owner: string?

  @description('One of `groups` in exports.toml; or `owner`.')
  group: string?

  @description('Id of the action group.')
  actionGroupId: string
}

@export()
@description('Where logs go, and how many.')
@sealed()
type logOptions = {
  @description('Id of an existing Log Analytics workspace; empty: a new one. Retention and limit are then its owner\'s.')
  workspaceId: string?

  @description('Days that logs are kept; 90 where missing.')
  retentionDays: int?

  @description('GB of logs a day after which no more are taken, audit logs included; 1 where missing.')
  dailyLimitGb: int?
}

@export()
@description('How much of everything.')
@sealed()
type scaleOptions = {
  @description('At most this many instances for each function of queue and timer, and for all HTTP functions together; 10 where missing, since Pigment answers 500 requests in 5 minutes. Some regions refuse less than 40.')
  maximumInstanceCount: int?

  @description('Memory of an instance in MB: 512, 2048 (where missing) or 4096.')
  instanceMemoryMB: (512 | 2048 | 4096)?

  @description('Copies of host storage and of a new lake: Standard_ZRS (where missing), Standard_GZRS for another region besides, Standard_LRS where the region has no availability zones.')
  storageSku: ('Standard_LRS' | 'Standard_ZRS' | 'Standard_GZRS')?
}

@export()
@description('A key of yours for the storage accounts that are made here, instead of Microsoft\'s.')
@sealed()
type encryptionOptions = {
  @description('The key without its version: https://VAULT.vault.azure.net/keys/NAME. The vault needs purge protection.')
  keyUri: string?

  @description('Id of a user-assigned identity that is Key Vault Crypto Service Encryption User on the key; with `encryption.keyUri`.')
  identityId: string?
}

@export()
@description('What every module gets: where things are made, how they are tagged, where they log.')
type placeOptions = {
  @description('Region.')
  location: string

  @description('Tags.')
  tags: { *: string }

  @description('Workspace for logs.')
  workspaceId: string
}

@export()
@description('A vault or a storage account, made here or existing.')
type targetOptions = {
  @description('Name.')
  name: string

  @description('Its resource group.')
  resourceGroup: string

  @description('Its subscription.')
  subscriptionId: string

  @description('Whether it is made here.')
  isNew: bool
}

@export()
@description('What a private endpoint leads to.')
type linkOptions = {
  @description('Resource id.')
  id: string

  @description('Which of its services.')
  service: string

  @description('Whether it is made here, so that no one has to approve.')
  isNew: bool

  @description('Whether the endpoint writes a DNS record.')
  hasRecord: bool
}

@export()
@description('An identity of the app: what role assignments and settings name.')
type identityOptions = {
  @description('Resource id.')
  id: string

  @description('Client id.')
  clientId: string

  @description('Object id.')
  principalId: string
}

@export()
@description('The text, or the fallback where it is missing or empty.')
func orElse(text string?, fallback string) string => empty(text) ? fallback : text!

@export()
@description('The items of a list with commas.')
func listed(text string?) string[] => filter(map(split(text ?? '', ','), item => trim(item)), item => !empty(item))

@export()
@description('How a storage account is encrypted with a key of its owner; null: with Microsoft\'s. The choice for queues and tables holds for the account\'s life.')
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
@description('The identity that reads that key.')
func keyReader(encryption encryptionOptions) resourceInput<'Microsoft.Storage/storageAccounts@2026-06-01'>.identity? =>
  empty(encryption.?identityId)
    ? null
    : { type: 'UserAssigned', userAssignedIdentities: { '${encryption.identityId!}': {} } }

@export()
@description('Services of the lake that get an endpoint. Both: a hierarchical namespace is written through dfs, and records need conditions of the blob endpoint.')
func lakeServices(network networkOptions, isNew bool) string[] =>
  isNew || (network.?lakeEndpoints ?? false) ? ['blob', 'dfs'] : []

@export()
@description('The same of the vault.')
func vaultServices(network networkOptions, isNew bool) string[] =>
  isNew || (network.?vaultEndpoint ?? false) ? ['vault'] : []

@export()
@description('Whether an endpoint gets a DNS record here. That of another team\'s vault or lake only in a zone of a network made here, unless asked for: a shared zone has one record for everyone.')
func hasRecord(network networkOptions, service string, isNew bool) bool =>
  !(network.?dnsByPolicy ?? false) && (isNew || (network.?foreignRecords ?? false) || (empty(network.?appSubnetId) && empty(network.?dnsZoneIds[?service])))

@export()
@description('All services that need a DNS zone.')
func recordedServices(network networkOptions, newVault bool, newLake bool) string[] =>
  union(
    filter(
      concat(['blob', 'queue', 'table'], network.?inbound == 'private' ? ['sites'] : []),
      service => hasRecord(network, service, true)
    ),
    filter(lakeServices(network, newLake), service => hasRecord(network, service, newLake)),
    filter(vaultServices(network, newVault), service => hasRecord(network, service, newVault))
  )
