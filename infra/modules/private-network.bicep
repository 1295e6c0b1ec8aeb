// The network option: the app in a subnet, private endpoints for all that it stores in, DNS, a fixed outgoing address.
import { networkOptions, orElse } from '../types.bicep'

@description('Part of the names.')
param token string

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

@description('What is there already, and what is asked for.')
param network networkOptions

@description('The Functions host\'s storage account.')
param hostStorageId string

@description('The vault, new or existing.')
param vaultId string

@description('The lake, new or existing.')
param lakeId string

@description('Whether the vault is made here.')
param newVault bool

@description('Whether the lake is made here.')
param newLake bool

var newNetwork = empty(network.?appSubnetId)
var addressSpace = orElse(network.?addressSpace, '10.42.0.0/24')

resource address 'Microsoft.Network/publicIPAddresses@2026-03-01' = if (newNetwork) {
  name: 'pip-pigment-${token}'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: { publicIPAllocationMethod: 'Static' }
}

resource nat 'Microsoft.Network/natGateways@2026-03-01' = if (newNetwork) {
  name: 'ng-pigment-${token}'
  location: location
  tags: tags
  sku: { name: 'Standard' }
  properties: { publicIpAddresses: [{ id: address.id }] }
}

// Its default rules are what is wanted: in from the network itself, out to anywhere.
resource rules 'Microsoft.Network/networkSecurityGroups@2026-03-01' = if (newNetwork) {
  name: 'nsg-pigment-${token}'
  location: location
  tags: tags
}

resource virtualNetwork 'Microsoft.Network/virtualNetworks@2026-03-01' = if (newNetwork) {
  name: 'vnet-pigment-${token}'
  location: location
  tags: tags
  properties: {
    addressSpace: { addressPrefixes: [addressSpace] }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: cidrSubnet(addressSpace, 26, 0)
          delegations: [{ name: 'flex', properties: { serviceName: 'Microsoft.App/environments' } }]
          natGateway: { id: nat.id }
          networkSecurityGroup: { id: rules.id }
          defaultOutboundAccess: false
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressSpace, 26, 1)
          networkSecurityGroup: { id: rules.id }
          defaultOutboundAccess: false
        }
      }
    ]
  }

  resource app 'subnets' existing = { name: 'app' }
  resource endpoints 'subnets' existing = { name: 'endpoints' }
}

var appSubnetId = newNetwork ? virtualNetwork::app.id : network.appSubnetId!
var endpointSubnetId = newNetwork
  ? virtualNetwork::endpoints.id
  : (network.?endpointSubnetId ?? fail('network.endpointSubnetId: name the subnet of the private endpoints as well'))
var lakeEndpointsMade = newLake || (network.?lakeEndpoints ?? false)
var vaultEndpointMade = newVault || (network.?vaultEndpoint ?? false)

module zones 'dns-zones.bicep' = {
  params: {
    tags: tags
    services: union(['blob', 'queue', 'table'], lakeEndpointsMade ? ['dfs'] : [], vaultEndpointMade ? ['vault'] : [])
    given: network.?dnsZoneIds ?? {}
    virtualNetworkId: split(endpointSubnetId, '/subnets/')[0]
  }
}

module hostEndpoints 'private-endpoint.bicep' = [
  for service in ['blob', 'queue', 'table']: {
    params: {
      name: 'pe-host-${service}-${token}'
      location: location
      tags: tags
      subnetId: endpointSubnetId
      targetId: hostStorageId
      service: service
      zoneId: zones.outputs.ids[service]
      ours: true
    }
  }
]

// Both: a hierarchical namespace is written through dfs, and its blob endpoint is used for conditional records.
module lakeEndpoints 'private-endpoint.bicep' = [
  for service in ['blob', 'dfs']: if (lakeEndpointsMade) {
    params: {
      name: 'pe-lake-${service}-${token}'
      location: location
      tags: tags
      subnetId: endpointSubnetId
      targetId: lakeId
      service: service
      zoneId: zones.outputs.ids[?service] ?? ''
      ours: newLake
    }
  }
]

module vaultEndpoint 'private-endpoint.bicep' = if (vaultEndpointMade) {
  params: {
    name: 'pe-vault-${token}'
    location: location
    tags: tags
    subnetId: endpointSubnetId
    targetId: vaultId
    service: 'vault'
    zoneId: zones.outputs.ids.?vault ?? ''
    ours: newVault
  }
}

@description('The app\'s subnet.')
output appSubnetId string = appSubnetId

@description('The address from which the app calls Pigment; empty where the network is not ours.')
output outgoingAddress string = newNetwork ? address!.properties.ipAddress : ''
