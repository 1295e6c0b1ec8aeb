// Private DNS zones for the services that have an endpoint: those that are given, and new ones for the rest, linked to the
// network. Never more than these: a zone without an endpoint would hide what the network resolves by other means.
import { dnsZoneOptions } from '../types.bicep'

@description('Tags.')
param tags { *: string }

@description('Services that have an endpoint: `blob`, `dfs`, `queue`, `table`, `vault`.')
param services string[]

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

var wanted = filter(items(names), zone => contains(services, zone.key))

module zones 'dns-zone.bicep' = [
  for zone in wanted: if (empty(given[?zone.key])) {
    params: { name: zone.value, tags: tags, virtualNetworkId: virtualNetworkId }
  }
]

@description('Ids of the zones, by what they resolve.')
output ids { *: string } = toObject(
  wanted,
  zone => zone.key,
  zone => empty(given[?zone.key]) ? resourceId('Microsoft.Network/privateDnsZones', zone.value) : given[zone.key]
)
