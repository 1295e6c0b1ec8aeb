// The deployer is a Contributor: no role assignment, no lock; the owner gets commands.
using '../app.bicep'

param environmentName = 'demo'
param location = 'westeurope'
param assignRoles = false
param assignVaultRoles = false
param assignLakeRoles = false
param lockData = false
param vault = { name: 'kv-of-the-security-team', resourceGroup: 'rg-security' }
