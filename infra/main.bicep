// The resource group, and app.bicep in it. Whoever has rights on one group only deploys app.bicep alone.
targetScope = 'subscription'

import {
  alertOptions
  callerOptions
  exportOptions
  lakeOptions
  networkOptions
  operatorOptions
  scaleOptions
  vaultOptions
} from 'types.bicep'

@description('Name of this deployment; every name is made of it.')
@minLength(2)
@maxLength(32)
param environmentName string

@description('Azure region of everything that is made.')
param location string

@description('Name of the resource group that is made; empty: rg-pigment-export- and the environment.')
param resourceGroupName string = ''

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

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: empty(resourceGroupName) ? 'rg-pigment-export-${environmentName}' : resourceGroupName
  location: location
  tags: { 'azd-env-name': environmentName }
}

module app 'app.bicep' = {
  scope: group
  params: {
    environmentName: environmentName
    location: location
    vault: vault
    lake: lake
    exports: exports
    callers: callers
    privateNetwork: privateNetwork
    network: network
    assignRoles: assignRoles
    assignVaultRoles: assignVaultRoles
    assignLakeRoles: assignLakeRoles
    lockData: lockData
    operator: operator
    alerts: alerts
    scale: scale
  }
}

@description('Region.')
output AZURE_LOCATION string = location

@description('Tenant.')
output AZURE_TENANT_ID string = tenant().tenantId

@description('Resource group of the app.')
output AZURE_RESOURCE_GROUP string = group.name

@description('Name of the function app, as azd looks for it.')
output SERVICE_APP_NAME string = app.outputs.appName

@description('Address of the function app.')
output APP_URL string = app.outputs.appUrl

@description('Name of the vault, new or existing.')
output AZURE_KEY_VAULT_NAME string = app.outputs.vaultName

@description('Address of the lake, new or existing.')
output DATA_LAKE_URL string = app.outputs.lakeUrl

@description('Object id of the app\'s identity.')
output IDENTITY_PRINCIPAL_ID string = app.outputs.identityPrincipalId

@description('The address to put on Pigment\'s allow list; empty where it is not ours.')
output OUTGOING_ADDRESS string = app.outputs.outgoingAddress

@description('Role assignments that this deployment did not make: commands for whoever may.')
output ROLE_COMMANDS string[] = app.outputs.roleCommands
