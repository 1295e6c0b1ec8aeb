// One private endpoint with its DNS record. For another team's resource, the endpoint waits for the owner's approval.
import { linkOptions, placeOptions } from '../types.bicep'

@description('Name.')
param name string

@description('Its region, tags and log workspace.')
param place placeOptions

@description('Its subnet.')
param subnetId string

@description('Its target.')
param target linkOptions

@description('The DNS zone of the service, if it gets a record.')
param zoneId string

var connection = [
  {
    name: name
    properties: {
      privateLinkServiceId: target.id
      groupIds: [target.service]
      requestMessage: 'Pigment exports: the function app reads its key here or writes its files here.'
    }
  }
]

resource endpoint 'Microsoft.Network/privateEndpoints@2026-03-01' = {
  name: name
  location: place.location
  tags: place.tags
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: target.isNew ? connection : []
    manualPrivateLinkServiceConnections: target.isNew ? [] : connection
  }

  resource record 'privateDnsZoneGroups' = if (target.hasRecord) {
    name: 'default'
    properties: { privateDnsZoneConfigs: [{ name: target.service, properties: { privateDnsZoneId: zoneId } }] }
  }
}
