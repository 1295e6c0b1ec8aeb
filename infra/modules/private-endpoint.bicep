// One private endpoint with its DNS record. What is not ours waits until its owner approves.
@description('Name.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

@description('The subnet it is in.')
param subnetId string

@description('What it leads to.')
param targetId string

@description('Which of its services.')
param service string

@description('The DNS zone of that service.')
param zoneId string

@description('Whether the target is ours, so that nobody has to approve.')
param ours bool

var connection = [
  {
    name: name
    properties: {
      privateLinkServiceId: targetId
      groupIds: [service]
      requestMessage: 'Pigment exports: the function app reads its key here or writes its files here.'
    }
  }
]

resource endpoint 'Microsoft.Network/privateEndpoints@2026-03-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: ours ? connection : []
    manualPrivateLinkServiceConnections: ours ? [] : connection
  }

  resource record 'privateDnsZoneGroups' = {
    name: 'default'
    properties: { privateDnsZoneConfigs: [{ name: service, properties: { privateDnsZoneId: zoneId } }] }
  }
}
