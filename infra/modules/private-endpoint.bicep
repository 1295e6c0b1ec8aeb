// One private endpoint with its DNS record. What is not ours waits until its owner approves.
import { linkOptions, placeOptions } from '../types.bicep'

@description('Name.')
param name string

@description('Where it is made, how it is tagged, where it logs.')
param place placeOptions

@description('The subnet it is in.')
param subnetId string

@description('What it leads to.')
param target linkOptions

@description('The DNS zone of the service, where it gets a record.')
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
