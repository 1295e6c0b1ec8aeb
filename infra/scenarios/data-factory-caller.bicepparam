using '../callers/data-factory.bicep'

param factoryName = 'adf-planning'
param appUrl = 'https://func-pigment-demo.azurewebsites.net'
param keySecretUrl = 'https://kv-planning.vault.azure.net/secrets/pigment-exports-caller'
