// The main case: vault and lake belong to other teams, in other groups and subscriptions. Their owners get commands.
using '../main.bicep'

param environmentName = 'demo'
param location = 'westeurope'
param vault = {
  name: 'kv-of-the-security-team'
  resourceGroup: 'rg-security'
  subscriptionId: '44444444-4444-4444-8444-444444444444'
  secretNames: 'pigment-api-key-hr, pigment-api-key-sales'
}
param lake = {
  account: 'lakeofthedatateam'
  resourceGroup: 'rg-data'
  subscriptionId: '55555555-5555-4555-8555-555555555555'
  fileSystem: 'pigment'
  root: 'planning'
}
param exports = {
  catalog: 'lake:config/exports.toml'
  schedule: '30 4 * * 1-5'
  timeZone: 'Europe/Paris'
}
param alerts = {
  actionGroupId: '/subscriptions/44444444-4444-4444-8444-444444444444/resourceGroups/rg-operations/providers/Microsoft.Insights/actionGroups/ag-operations'
  existingVaultLocation: 'westeurope'
}
