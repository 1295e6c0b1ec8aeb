// Private DNS zones for the services that have an endpoint: those that are given, and new ones for the rest, linked to the
// network. Never more than these: a zone without an endpoint would hide what the network resolves by other means.
import { dnsZoneOptions, placeOptions } from '../types.bicep'

@description('How they are tagged.')
param place placeOptions

@description('Services that have an endpoint: `blob`, `dfs`, `queue`, `table`, `vault`, `sites`.')
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
      // A name that is not in the zone, as that of an account with a private endpoint elsewhere, is looked up in public.
      resolutionPolicy: 'NxDomainRedirect'
      virtualNetwork: { id: virtualNetworkId }
    }
  }
]

@description('Ids of the zones, by what they resolve.')
output ids { *: string } = toObject(
  wanted,
  zone => zone.key,
  zone => empty(given[?zone.key]) ? resourceId('Microsoft.Network/privateDnsZones', zone.value) : given[zone.key]
)
