using '../callers/data-factory.bicep'

param factoryName = 'adf-planning'
param appUrl = 'https://func-pigment-demo.azurewebsites.net'
param clientId = '77777777-7777-4777-8777-777777777777'
