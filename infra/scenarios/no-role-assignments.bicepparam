// The deployer is only a Contributor: no role assignments, no locks; owners get commands.
using '../main.bicep'

param environmentName = 'demo'
param location = 'westeurope'
param assignRoles = false
param lockData = false
param vault = { name: 'kv-of-the-security-team', resourceGroup: 'rg-security' }
