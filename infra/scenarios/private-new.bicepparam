// A new private network: fixed outgoing address, no public addresses of vault, lake and host storage.
using '../main.bicep'

param environmentName = 'demo'
param location = 'westeurope'
param privateNetwork = true
