// The app's identity. User-assigned, so that its roles are there before the app first starts and survive its re-creation.
@description('Name.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' = {
  name: name
  location: location
  tags: tags
}

@description('Resource id.')
output id string = identity.id

@description('Client id.')
output clientId string = identity.properties.clientId

@description('Object id.')
output principalId string = identity.properties.principalId
