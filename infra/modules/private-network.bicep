// The private network: a subnet for the app, private endpoints for vault and storage, DNS, a fixed outgoing address.
import {
  networkOptions
  placeOptions
  targetOptions
  hasRecord
  lakeServices
  orElse
  recordedServices
  vaultServices
} from '../types.bicep'

@description('Names of the new resources.')
param names { *: string }

@description('Its region, tags and log workspace.')
param place placeOptions

@description('Parameters of the network.')
param network networkOptions

@description('The Functions host\'s storage account.')
param hostStorageId string

@description('The vault.')
param vault targetOptions

@description('The lake.')
param lake targetOptions

var newNetwork = empty(network.?appSubnetId)
var addressSpace = orElse(network.?addressSpace, '10.42.0.0/24')

resource address 'Microsoft.Network/publicIPAddresses@2026-03-01' = if (newNetwork) {
  name: names.publicAddress
  location: place.location
  tags: place.tags
  sku: { name: 'Standard' }
  properties: { publicIPAllocationMethod: 'Static' }
}

resource nat 'Microsoft.Network/natGateways@2026-03-01' = if (newNetwork) {
  name: names.natGateway
  location: place.location
  tags: place.tags
  sku: { name: 'Standard' }
  // Pigment may compute for ten minutes without a byte; keepalives renew this, should one be lost.
  properties: { idleTimeoutInMinutes: 30, publicIpAddresses: [{ id: address.id }] }
}

// The default rules are right: incoming only from the network itself, outgoing to anywhere.
resource rules 'Microsoft.Network/networkSecurityGroups@2026-03-01' = if (newNetwork) {
  name: names.securityGroup
  location: place.location
  tags: place.tags
}

resource virtualNetwork 'Microsoft.Network/virtualNetworks@2026-03-01' = if (newNetwork) {
  name: names.virtualNetwork
  location: place.location
  tags: place.tags
  properties: { addressSpace: { addressPrefixes: [addressSpace] } }

  // As child resources, so that a deployment does not remove subnets that others added.
  resource app 'subnets' = {
    name: 'app'
    properties: {
      addressPrefix: cidrSubnet(addressSpace, 26, 0)
      delegations: [{ name: 'flex', properties: { serviceName: 'Microsoft.App/environments' } }]
      natGateway: { id: nat.id }
      networkSecurityGroup: { id: rules.id }
      defaultOutboundAccess: false
    }
  }

  resource endpoints 'subnets' = {
    name: 'endpoints'
    properties: {
      addressPrefix: cidrSubnet(addressSpace, 26, 1)
      networkSecurityGroup: { id: rules.id }
      defaultOutboundAccess: false
    }
    dependsOn: [app] // a network takes one change at a time
  }
}

var appSubnetId = newNetwork ? virtualNetwork::app.id : network.appSubnetId!
var endpointSubnetId = newNetwork ? virtualNetwork::endpoints.id : network.endpointSubnetId!

module zones 'dns-zones.bicep' = {
  params: {
    place: place
    services: recordedServices(network, vault.isNew, lake.isNew)
    given: network.?dnsZoneIds ?? {}
    virtualNetworkId: split(endpointSubnetId, '/subnets/')[0]
  }
}

// One at a time: an account refuses a second operation while one is in progress.
@batchSize(1)
module hostEndpoints 'private-endpoint.bicep' = [
  for service in ['blob', 'queue', 'table']: {
    params: {
      name: 'pe-host-${service}-${names.hostStorage}'
      place: place
      subnetId: endpointSubnetId
      target: { id: hostStorageId, service: service, isNew: true, hasRecord: hasRecord(network, service, true) }
      zoneId: zones.outputs.ids[?service] ?? ''
    }
  }
]

@batchSize(1)
module lakeEndpoints 'private-endpoint.bicep' = [
  for service in lakeServices(network, lake.isNew): {
    params: {
      name: 'pe-lake-${service}-${lake.name}'
      place: place
      subnetId: endpointSubnetId
      target: {
        id: resourceId(lake.subscriptionId, lake.resourceGroup, 'Microsoft.Storage/storageAccounts', lake.name)
        service: service
        isNew: lake.isNew
        hasRecord: hasRecord(network, service, lake.isNew)
      }
      zoneId: zones.outputs.ids[?service] ?? ''
    }
  }
]

module vaultEndpoint 'private-endpoint.bicep' = [
  for service in vaultServices(network, vault.isNew): {
    params: {
      name: 'pe-vault-${vault.name}'
      place: place
      subnetId: endpointSubnetId
      target: {
        id: resourceId(vault.subscriptionId, vault.resourceGroup, 'Microsoft.KeyVault/vaults', vault.name)
        service: service
        isNew: vault.isNew
        hasRecord: hasRecord(network, service, vault.isNew)
      }
      zoneId: zones.outputs.ids[?service] ?? ''
    }
  }
]

@description('The app\'s subnet.')
output appSubnetId string = appSubnetId

@description('The subnet of the endpoints.')
output endpointSubnetId string = endpointSubnetId

@description('The DNS zone of the app\'s own endpoint; empty: no record.')
output sitesZoneId string = zones.outputs.ids.?sites ?? ''

@description('The address from which the app calls Pigment; empty if the deployment does not create the network.')
output outgoingAddress string = newNetwork ? address!.properties.ipAddress : ''
