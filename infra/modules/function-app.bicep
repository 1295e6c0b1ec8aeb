// The Flex Consumption plan and the app on it.
import { callerOptions, identityOptions, placeOptions, scaleOptions, listed } from '../types.bicep'

@description('Name of the app.')
param name string

@description('Name of its plan.')
param planName string

@description('Its region, tags and log workspace.')
param place placeOptions

@description('The app\'s identity.')
param identity identityOptions

@description('The Functions host\'s storage account.')
param hostStorageName string

@description('Its container for the deployed package.')
param packageContainer string

@description('Application Insights.')
param componentName string

@description('The subnet for its outgoing calls; empty: none.')
param subnetId string

@description('Whether it has a public address.')
param public bool

@description('Number and size of instances.')
param scale scaleOptions

@description('Who can call it.')
param callers callerOptions

@description('The app\'s own settings.')
param settings { *: string }

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

var clientId = callers.?clientId ?? ''
var addresses = listed(callers.?addresses)

// A service tag begins with a letter. One address is a range of its own.
func isTag(address string) bool => !contains(address, ':') && !contains('0123456789', first(address))
func rangeOf(address string) string =>
  contains(address, '/') || isTag(address) ? address : '${address}/${contains(address, ':') ? 128 : 32}'

// With a user-assigned identity, each connection needs the credential type and the client id.
var suffix = environment().suffixes.storage
var platformSettings = {
  AzureWebJobsStorage__blobServiceUri: 'https://${hostStorageName}.blob.${suffix}/'
  AzureWebJobsStorage__queueServiceUri: 'https://${hostStorageName}.queue.${suffix}/'
  AzureWebJobsStorage__tableServiceUri: 'https://${hostStorageName}.table.${suffix}/'
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identity.clientId
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.clientId};Authorization=AAD'
  IDENTITY_CLIENT_ID: identity.clientId
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: place.location
  tags: place.tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource site 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: place.location
  tags: union(place.tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    publicNetworkAccess: public ? 'Enabled' : 'Disabled'
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    keyVaultReferenceIdentity: identity.id
    functionAppConfig: {
      runtime: { name: 'python', version: '3.13' }
      scaleAndConcurrency: {
        maximumInstanceCount: scale.?maximumInstanceCount ?? 10
        instanceMemoryMB: scale.?instanceMemoryMB ?? 2048
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: 'https://${hostStorageName}.blob.${suffix}/${packageContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
    }
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
      ipSecurityRestrictionsDefaultAction: empty(addresses) ? 'Allow' : 'Deny'
      ipSecurityRestrictions: map(addresses, (address, index) => {
        name: 'caller-${index}'
        action: 'Allow'
        priority: 100 + index
        ipAddress: rangeOf(address)
        tag: isTag(address) ? 'ServiceTag' : 'Default'
      })
      appSettings: concat(
        map(items(union(platformSettings, settings)), setting => { name: setting.key, value: setting.value }),
        [{ name: 'APPLICATIONINSIGHTS_CONNECTION_STRING', value: component.properties.ConnectionString }]
      )
    }
  }

  // No user name and password, neither for deployment nor for FTP.
  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }

  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  // Any application of the tenant can get a token for this app, so the lists restrict the callers. A caller must match both.
  resource authentication 'config' = if (!empty(clientId)) {
    name: 'authsettingsV2'
    properties: {
      platform: { enabled: true }
      globalValidation: { requireAuthentication: true, unauthenticatedClientAction: 'Return401' }
      httpSettings: { requireHttps: true }
      identityProviders: {
        azureActiveDirectory: {
          enabled: true
          registration: {
            clientId: clientId
            openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
          }
          validation: {
            allowedAudiences: [clientId, 'api://${clientId}']
            defaultAuthorizationPolicy: {
              allowedApplications: listed(callers.?applications)
              allowedPrincipals: empty(callers.?principals) ? null : { identities: listed(callers.?principals) }
            }
          }
        }
      }
      login: { tokenStore: { enabled: false } }
    }
  }
}

// Metrics only: Application Insights already receives the logs, and they would be charged twice.
#disable-next-line use-recent-api-versions // diagnostic settings have no newer version than this preview
resource metrics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: site
  name: 'metrics'
  properties: {
    workspaceId: place.workspaceId
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

@description('Name.')
output name string = site.name

@description('Address.')
output url string = 'https://${site.properties.defaultHostName}'
