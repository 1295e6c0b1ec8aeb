// Nothing exists yet: vault and lake are created and locked; alerts go to a mailbox; a group can set the secret.
using '../main.bicep'

param environmentName = 'demo'
param location = 'westeurope'
param operator = { id: '33333333-3333-4333-8333-333333333333', type: 'Group' }
param alerts = { emails: 'planning@example.com' }
