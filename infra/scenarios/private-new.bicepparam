// A private network, all of it made here: fixed outgoing address, no public address of vault, lake and host storage.
using '../main.bicep'

param environmentName = 'demo'
param location = 'westeurope'
param privateNetwork = true
