using '../callers/logic-app.bicep'

param location = 'westeurope'
param appUrl = 'https://func-pigment-demo.azurewebsites.net'
param keySecretUrl = 'https://kv-planning.vault.azure.net/secrets/pigment-exports-caller'
param groups = ['finance']
