// Callers authenticate with tokens: a Data Factory and a Logic App.
using '../main.bicep'

param environmentName = 'demo'
param location = 'westeurope'
param callers = {
  clientId: '77777777-7777-4777-8777-777777777777'
  applications: '88888888-8888-4888-8888-888888888888, 99999999-9999-4999-8999-999999999999'
}
