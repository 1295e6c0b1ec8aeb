// Private DNS zones: those that are given, and new ones for the rest, linked to the network.
import { dnsZoneOptions } from '../types.bicep'

@description('Tags.')
param tags { *: string }

@description('Ids of existing zones.')
param given dnsZoneOptions

@description('The network that resolves by the new zones.')
param virtualNetworkId string

var names = {
  blob: 'privatelink.blob.${environment().suffixes.storage}'
  dfs: 'privatelink.dfs.${environment().suffixes.storage}'
  queue: 'privatelink.queue.${environment().suffixes.storage}'
  table: 'privatelink.table.${environment().suffixes.storage}'
  // .vault.azure.net → privatelink.vaultcore.azure.net, in every cloud
  vault: 'privatelink${replace(environment().suffixes.keyvaultDns, '.vault.', '.vaultcore.')}'
}

module zones 'dns-zone.bicep' = [
  for zone in items(names): if (empty(given[?zone.key])) {
    params: { name: zone.value, tags: tags, virtualNetworkId: virtualNetworkId }
  }
]

@description('Ids of all zones, by what they resolve.')
output ids { *: string } = toObject(
  items(names),
  zone => zone.key,
  zone => empty(given[?zone.key]) ? resourceId('Microsoft.Network/privateDnsZones', zone.value) : given[zone.key]
)
