// A landing zone with policies: tags, custom names, customer-managed keys, a central workspace, DNS records by policy,
// no public address at all, and alerts that go to the team that owns an export.
using '../main.bicep'

param environmentName = 'demo'
param location = 'westeurope'
param tags = { costCenter: '4711', dataClass: 'confidential' }
param names = { app: 'func-planning-pigment-prod-weu', hostStorage: 'stplanningpigmentprod', lake: 'dlsplanningprod' }
param encryption = {
  keyUri: 'https://kv-platform-keys.vault.azure.net/keys/planning'
  identityId: '/subscriptions/66666666-6666-4666-8666-666666666666/resourceGroups/rg-platform/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-planning-encryption'
}
param vault = {
  name: 'kv-of-the-security-team'
  resourceGroup: 'rg-security'
  subscriptionId: '44444444-4444-4444-8444-444444444444'
}
param lake = { recordDays: 120 }
param privateNetwork = true
param network = {
  appSubnetId: '/subscriptions/66666666-6666-4666-8666-666666666666/resourceGroups/rg-spoke/providers/Microsoft.Network/virtualNetworks/vnet-spoke/subnets/functions'
  endpointSubnetId: '/subscriptions/66666666-6666-4666-8666-666666666666/resourceGroups/rg-spoke/providers/Microsoft.Network/virtualNetworks/vnet-spoke/subnets/endpoints'
  dnsByPolicy: true
  inbound: 'private'
}
param callers = {
  clientId: '77777777-7777-4777-8777-777777777777'
  applications: '88888888-8888-4888-8888-888888888888'
}
param logs = {
  workspaceId: '/subscriptions/66666666-6666-4666-8666-666666666666/resourceGroups/rg-platform/providers/Microsoft.OperationalInsights/workspaces/log-platform'
}
param alerts = {
  actionGroupId: '/subscriptions/66666666-6666-4666-8666-666666666666/resourceGroups/rg-platform/providers/Microsoft.Insights/actionGroups/ag-platform'
  routes: [
    {
      owner: 'finance@example.com'
      actionGroupId: '/subscriptions/66666666-6666-4666-8666-666666666666/resourceGroups/rg-finance/providers/Microsoft.Insights/actionGroups/ag-finance'
    }
    {
      group: 'people'
      actionGroupId: '/subscriptions/66666666-6666-4666-8666-666666666666/resourceGroups/rg-people/providers/Microsoft.Insights/actionGroups/ag-people'
    }
  ]
}
