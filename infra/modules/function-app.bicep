// The Flex Consumption plan and the app on it.
import { identityOptions } from '../types.bicep'

@description('Name of the app.')
param name string

@description('Region.')
param location string

@description('Tags.')
param tags { *: string }

@description('What the app runs as.')
param identity identityOptions

@description('The Functions host\'s storage account.')
param hostStorageName string

@description('Its container for the deployed package.')
param packageContainer string

@description('Application Insights.')
param componentName string

@description('Workspace for its metrics.')
param workspaceId string

@description('The subnet that it calls out from; empty: none.')
param subnetId string

@description('At most this many instances.')
param maximumInstanceCount int

@description('Memory of an instance in MB.')
param instanceMemoryMB int

@description('Client id of the app registration of its callers; empty: function keys.')
param clientId string

@description('Applications that may call.')
param allowedApplications string[]

@description('Principals that may call; empty: whoever comes with one of the applications.')
param allowedPrincipals string[]

@description('The app\'s own settings.')
param settings { *: string }

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

// With a user-assigned identity each connection has to be told both how and who.
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
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: { name: 'FC1', tier: 'FlexConsumption' }
  properties: { reserved: true }
}

resource site 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    clientAffinityEnabled: false
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    keyVaultReferenceIdentity: identity.id
    functionAppConfig: {
      runtime: { name: 'python', version: '3.13' }
      scaleAndConcurrency: { maximumInstanceCount: maximumInstanceCount, instanceMemoryMB: instanceMemoryMB }
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

  // Any application of the tenant can get a token for this one: the lists say which are let in.
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
              allowedApplications: empty(allowedApplications)
                ? fail('callers.applications: name the applications that may call')
                : allowedApplications
              allowedPrincipals: empty(allowedPrincipals) ? null : { identities: allowedPrincipals }
            }
          }
        }
      }
      login: { tokenStore: { enabled: false } }
    }
  }
}

// Logs go to Application Insights already: here they would be paid twice.
#disable-next-line use-recent-api-versions // diagnostic settings have no newer version than this preview
resource metrics 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: site
  name: 'metrics'
  properties: {
    workspaceId: workspaceId
    metrics: [{ category: 'AllMetrics', enabled: true }]
  }
}

@description('Name.')
output name string = site.name

@description('Address.')
output url string = 'https://${site.properties.defaultHostName}'
