// A private network in a hub's subnets and DNS zones. The lake already has an endpoint; the deployment creates one for the
// vault, and the vault's owner adds its DNS record. The deployer is allowed to assign roles in the other teams' groups.
using '../main.bicep'

param environmentName = 'demo'
param location = 'westeurope'
param vault = {
  name: 'kv-of-the-security-team'
  resourceGroup: 'rg-security'
  subscriptionId: '44444444-4444-4444-8444-444444444444'
}
param lake = {
  account: 'lakeofthedatateam'
  resourceGroup: 'rg-data'
  subscriptionId: '55555555-5555-4555-8555-555555555555'
  fileSystem: 'pigment'
}
param assignVaultRoles = true
param assignLakeRoles = true
param privateNetwork = true
param network = {
  appSubnetId: '/subscriptions/66666666-6666-4666-8666-666666666666/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/functions'
  endpointSubnetId: '/subscriptions/66666666-6666-4666-8666-666666666666/resourceGroups/rg-hub/providers/Microsoft.Network/virtualNetworks/vnet-hub/subnets/endpoints'
  vaultEndpoint: true
  dnsZoneIds: {
    blob: '/subscriptions/66666666-6666-4666-8666-666666666666/resourceGroups/rg-dns/providers/Microsoft.Network/privateDnsZones/privatelink.blob.core.windows.net'
    queue: '/subscriptions/66666666-6666-4666-8666-666666666666/resourceGroups/rg-dns/providers/Microsoft.Network/privateDnsZones/privatelink.queue.core.windows.net'
    table: '/subscriptions/66666666-6666-4666-8666-666666666666/resourceGroups/rg-dns/providers/Microsoft.Network/privateDnsZones/privatelink.table.core.windows.net'
  }
}
