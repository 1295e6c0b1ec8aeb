// A private network in subnets and DNS zones of a hub. The lake is reached by its owner's endpoint; the vault gets one here,
// whose record its owner adds. The deployer may assign roles in the other teams' groups.
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
