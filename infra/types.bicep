// The shapes of the parameters that main.bicep and app.bicep share. Each member may be left out or empty.

@export()
@description('Where the Pigment key is. Without a name: a new vault. In this group or another, of any subscription.')
@sealed()
type vaultOptions = {
  @description('Name of a vault that is there already; empty: a new one is made.')
  name: string?

  @description('Resource group of an existing vault; empty: the app\'s.')
  resourceGroup: string?

  @description('Subscription of an existing vault; empty: the app\'s.')
  subscriptionId: string?

  @description('Secrets of an existing vault that the app may read besides `exports.keySecret`, with commas between them: those that exports.toml names. A new vault is opened as a whole, since secrets that are not there yet can carry no role.')
  secretNames: string?
}

@export()
@description('Where the files go. Without an account: a new one.')
@sealed()
type lakeOptions = {
  @description('Name of a storage account with a hierarchical namespace that is there already; empty: a new one is made.')
  account: string?

  @description('Resource group of an existing lake; empty: the app\'s.')
  resourceGroup: string?

  @description('Subscription of an existing lake; empty: the app\'s.')
  subscriptionId: string?

  @description('The file system (container); it must be there in an existing account. Empty: pigment.')
  fileSystem: string?

  @description('Folder below which everything is kept; empty: the file system\'s root.')
  root: string?
}

@export()
@description('What the app does; docs/settings.md explains each. Texts, as app settings are.')
@sealed()
type exportOptions = {
  @description('PIGMENT_BASE_URL: origin of the API of Pigment.')
  pigmentBaseUrl: string?

  @description('PIGMENT_KEY_SECRET: the secret that holds the key.')
  keySecret: string?

  @description('EXPORTS_FILE: a path in the package, or lake:PATH.')
  catalog: string?

  @description('EXPORT_SCHEDULE: six fields, in UTC.')
  schedule: string?

  @description('EXPORT_SCHEDULE_GROUPS: with commas; empty: all that is enabled.')
  scheduleGroups: string?

  @description('EXPORT_PATH: where a file goes.')
  path: string?

  @description('EXPORT_TIME_ZONE: whose days the snapshot dates are.')
  timeZone: string?

  @description('ALLOW_INLINE_EXPORTS: true lets a caller define an export, and so read whatever the owner of the key sees.')
  allowInline: string?

  @description('RUN_HOURS: hours until a run expires.')
  runHours: string?

  @description('FRESHNESS_HOURS: hours without success after which an export is stale.')
  freshnessHours: string?

  @description('RETENTION_DAYS: days that records and held files are kept.')
  retentionDays: string?

  @description('PUBLIC_BASE_URL: the address that answers name; empty: the app\'s own.')
  publicBaseUrl: string?
}

@export()
@description('Whoever sets the secret in a new vault.')
@sealed()
type operatorOptions = {
  @description('Object id of whoever sets the secret in a new vault; empty: nobody is given the right.')
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

  @description('Client ids of the applications that may call, with commas between them; needed with `clientId`, since any application of the tenant can get a token.')
  applications: string?

  @description('Object ids of the principals that may call, with commas between them; empty: whoever comes with one of the applications.')
  principals: string?
}

@export()
@description('Where the private network lies. Means something with `privateNetwork` only.')
@sealed()
type networkOptions = {
  @description('Address space of a new virtual network, /24 or larger; empty: 10.42.0.0/24. Its first /26 is the app\'s, the next one that of the endpoints.')
  addressSpace: string?

  @description('Id of an existing subnet for the app, delegated to Microsoft.App/environments, /27 or larger; with `endpointSubnetId`. The address from which the app calls Pigment is then its owner\'s business.')
  appSubnetId: string?

  @description('Id of an existing subnet for the private endpoints.')
  endpointSubnetId: string?

  @description('Ids of existing private DNS zones for `blob`, `dfs`, `queue`, `table` and `vault`; each that an endpoint made here needs, and that is missing, is made and linked to the network.')
  dnsZoneIds: dnsZoneOptions?

  @description('Whether an existing vault gets a private endpoint here, which its owner has to approve; false (where missing): the network reaches it already.')
  vaultEndpoint: bool?

  @description('Whether an existing lake gets private endpoints here, which its owner has to approve; false (where missing): the network reaches it already.')
  lakeEndpoints: bool?
}

@export()
@description('Private DNS zones by what they resolve.')
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
}

@export()
@description('Who is told.')
@sealed()
type alertOptions = {
  @description('Id of an existing action group; empty: one is made if there are addresses.')
  actionGroupId: string?

  @description('Mail addresses of a new action group, with commas between them.')
  emails: string?

  @description('Region of an existing vault, to have Event Grid tell of its secrets near their expiry; empty: not told. A vault has one such topic only; it is made in the vault\'s group.')
  existingVaultLocation: string?
}

@export()
@description('How much of everything.')
@sealed()
type scaleOptions = {
  @description('At most this many instances; 10 where missing, since Pigment answers 500 requests in 5 minutes.')
  maximumInstanceCount: int?

  @description('Memory of an instance in MB: 512, 2048 (where missing) or 4096.')
  instanceMemoryMB: (512 | 2048 | 4096)?

  @description('Copies of host storage and of a new lake: Standard_ZRS (where missing), Standard_GZRS for another region besides, Standard_LRS where the region has no availability zones.')
  storageSku: ('Standard_LRS' | 'Standard_ZRS' | 'Standard_GZRS')?

  @description('Days that logs are kept; 90 where missing.')
  logRetentionDays: int?

  @description('GB of logs a day after which no more are taken; 1 where missing.')
  dailyLogLimitGb: int?
}

@export()
@description('An identity of the app: what role assignments and settings name.')
@sealed()
type identityOptions = {
  @description('Resource id.')
  id: string

  @description('Client id.')
  clientId: string

  @description('Object id.')
  principalId: string
}

@export()
@description('The text, or what holds where it is missing or empty.')
func orElse(text string?, fallback string) string => empty(text) ? fallback : text!

@export()
@description('The texts of a list with commas.')
func listed(text string?) string[] => filter(map(split(text ?? '', ','), item => trim(item)), item => !empty(item))
