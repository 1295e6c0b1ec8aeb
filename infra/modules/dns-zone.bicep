// One private DNS zone, linked to one network.
@description('Name of the zone.')
param name string

@description('Tags.')
param tags { *: string }

@description('The network that resolves by it.')
param virtualNetworkId string

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = {
  name: name
  location: 'global'
  tags: tags

  resource link 'virtualNetworkLinks' = {
    name: uniqueString(virtualNetworkId)
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      // A name that is not in the zone, as that of an account with a private endpoint elsewhere, is looked up in public.
      resolutionPolicy: 'NxDomainRedirect'
      virtualNetwork: { id: virtualNetworkId }
    }
  }
}
