// Azure's built-in roles that this deployment assigns, by name.
// Source: https://learn.microsoft.com/azure/role-based-access-control/built-in-roles

@export()
@description('Name and id of each role.')
var roles = {
  blobDataOwner: { name: 'Storage Blob Data Owner', id: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b' }
  blobDataContributor: { name: 'Storage Blob Data Contributor', id: 'ba92f5b4-2d11-453d-a403-e96b0029c9fe' }
  queueDataContributor: { name: 'Storage Queue Data Contributor', id: '974c5e8b-45b9-4653-ba55-5f855dd0fb88' }
  tableDataContributor: { name: 'Storage Table Data Contributor', id: '0a9a7e1f-b9d0-4cc4-a60d-0319b160aaa3' }
  secretsUser: { name: 'Key Vault Secrets User', id: '4633458b-17de-408a-b874-0445c86b69e6' }
  secretsOfficer: { name: 'Key Vault Secrets Officer', id: 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7' }
  metricsPublisher: { name: 'Monitoring Metrics Publisher', id: '3913510d-42f4-4e42-8a64-420c390055eb' }
}

@export()
@description('The command with which an owner makes an assignment that this deployment is not allowed to make.')
func assignment(principalId string, principalType string, roleName string, scope string) string =>
  'az role assignment create --assignee-object-id ${principalId} --assignee-principal-type ${principalType} --role "${roleName}" --scope "${scope}"'
