// Private DNS zones for the services that have an endpoint: the given ones, and new ones for the rest, linked to the
// network. No others: a zone without an endpoint would hide addresses that the network resolves in another way.
import { dnsZoneOptions, placeOptions } from '../types.bicep'

@description('Their tags.')
param place placeOptions

@description('Services that have an endpoint: `blob`, `dfs`, `queue`, `table`, `vault`, `sites`.')
param services string[]

@description('Ids of existing zones.')
param given dnsZoneOptions

@description('The network to link the new zones to.')
param virtualNetworkId string

var names = {
  blob: 'privatelink.blob.${environment().suffixes.storage}'
  dfs: 'privatelink.dfs.${environment().suffixes.storage}'
  queue: 'privatelink.queue.${environment().suffixes.storage}'
  table: 'privatelink.table.${environment().suffixes.storage}'
  // .vault.azure.net → privatelink.vaultcore.azure.net, in every cloud
  vault: 'privatelink${replace(environment().suffixes.keyvaultDns, '.vault.', '.vaultcore.')}'
  sites: 'privatelink.azurewebsites.net'
}
var wanted = filter(items(names), zone => contains(services, zone.key))

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zone in wanted: if (empty(given[?zone.key])) {
    name: zone.value
    location: 'global'
    tags: place.tags
  }
]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zone, index) in wanted: if (empty(given[?zone.key])) {
    parent: zones[index]
    name: uniqueString(virtualNetworkId)
    location: 'global'
    tags: place.tags
    properties: {
      registrationEnabled: false
      // A name that is missing in the zone, such as an account with a private endpoint elsewhere, is resolved publicly.
      resolutionPolicy: 'NxDomainRedirect'
      virtualNetwork: { id: virtualNetworkId }
    }
  }
]

@description('Ids of the zones, by service.')
output ids { *: string } = toObject(
  wanted,
  zone => zone.key,
  zone => empty(given[?zone.key]) ? resourceId('Microsoft.Network/privateDnsZones', zone.value) : given[zone.key]
)
