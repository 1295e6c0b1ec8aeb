using '../callers/logic-app.bicep'

param location = 'westeurope'
param appUrl = 'https://func-pigment-demo.azurewebsites.net'
param groups = ['finance']
param clientId = '77777777-7777-4777-8777-777777777777'
