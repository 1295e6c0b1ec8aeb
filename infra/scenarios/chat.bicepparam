using '../callers/chat.bicep'

param location = 'westeurope'
param chat = 'teams'
param webhookSecretUrl = 'https://kv-planning.vault.azure.net/secrets/pigment-chat-webhook'
