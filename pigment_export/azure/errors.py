"""What Azure's refusals mean: whether a retry may help, who must act, and what they should do.

One table a service (the lake's in `lake_errors`) is the code, the test and `docs/errors-azure.md`. Its rows are tried
from the top; the last one takes whatever is left. No row says whether a write took effect: an error cannot tell.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from pigment_export.errors import ErrorRow, PermanentError, RetryableError, SetupError, Who

SERVER_ERRORS = frozenset(range(500, 600))
NO_ANSWER, UNREADABLE = None, 0  # stand where a status would; unreadable: it has no id, or no sense


@dataclass(frozen=True, slots=True)
class Refusal(ErrorRow):
    """One row: which answers it takes, and what they mean. A row with neither statuses nor names takes any.

    Attributes:
        statuses: HTTP statuses that it takes, `NO_ANSWER` and `UNREADABLE` among them.
        names: the service's own error codes that it takes, whatever the status.
    """

    statuses: AbstractSet[int | None] = frozenset()
    names: AbstractSet[str] = frozenset()

    def takes(self, status: int | None, names: AbstractSet[str]) -> bool:
        """Return whether an answer belongs to this row."""
        return status in self.statuses or bool(names & self.names) or not (self.statuses or self.names)


def meaning_of(rows: Sequence[Refusal], status: int | None, names: AbstractSet[str] = frozenset()) -> Refusal:
    """Return the row of an answer.

    Args:
        rows: the service's table.
        status: HTTP status; `NO_ANSWER` where none came, `UNREADABLE` where the answer cannot be the service's.
        names: the error codes in the answer, inner ones too.
    """
    return next(row for row in rows if row.takes(status, names))


# fmt: off
# A table: the head of each row stands on one line.
IDENTITY_NOT_SIGNED_IN = ErrorRow("identity_not_signed_in", SetupError, Who.CALLER,
    "run `az login`, then start again",
    what="this machine is not signed in to Azure")
IDENTITY_REFUSED = ErrorRow("identity_refused", SetupError, Who.ADMINISTRATOR,
    "on a laptop, run `az login` again; else look up the AADSTS code, and check AZURE_CLIENT_ID, AZURE_TENANT_ID and "
    "the secret or certificate that belongs to them",
    what="Microsoft Entra does not give this identity a token")
IDENTITY_MISSING = ErrorRow("identity_missing", SetupError, Who.ADMINISTRATOR,
    "assign the identity to the app and set IDENTITY_CLIENT_ID to its client id; on a laptop, remove "
    "IDENTITY_CLIENT_ID and run `az login`",
    what="the app does not have this managed identity")
IDENTITY_UNAVAILABLE = ErrorRow("identity_unavailable", RetryableError, Who.NO_ACTION,
    "right after a deployment this takes minutes; if it continues, check that the app's managed identity is switched "
    "on, and restart the app",
    what="the identity endpoint gave no token")

# Source: https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret and
# https://learn.microsoft.com/azure/key-vault/general/rest-error-codes
VAULT = (
    Refusal("vault_secret_disabled", PermanentError, Who.KEY_OWNER,
        "enable the secret, or store a new version of it",
        what="the secret's newest version is disabled",
        names={"SecretDisabled"}),
    Refusal("vault_firewalled", SetupError, Who.ADMINISTRATOR,
        "check the vault's network rules, and that the app reaches it through its private endpoint where public "
        "access is disabled",
        what="the vault does not accept connections from this network",
        names={"ForbiddenByFirewall", "ForbiddenByConnection"}),
    Refusal("vault_unauthenticated", SetupError, Who.ADMINISTRATOR,
        "check that the identity belongs to the vault's tenant (on a laptop: `az login --tenant`), and this "
        "machine's clock",
        what="the vault does not accept the identity's token",
        statuses={401}),
    Refusal("vault_forbidden", SetupError, Who.ADMINISTRATOR,
        "assign Key Vault Secrets User on the secret to this identity (in a vault with access policies: secret "
        "permission Get); a new assignment takes up to ten minutes",
        what="the identity does not have the role to read the secret",
        statuses={403}),
    Refusal("vault_secret_missing", PermanentError, Who.KEY_OWNER,
        "store the Pigment key under this name (recover the secret if it was deleted), or correct "
        "PIGMENT_KEY_SECRET or the export's secret",
        what="the vault has no such secret",
        statuses={404}),
    Refusal("vault_throttled", RetryableError, Who.NO_ACTION,
        "if it happens often, find out which other programs read this vault",
        what="the vault is throttling requests",
        statuses={429}),
    Refusal("vault_unavailable", RetryableError, Who.NO_ACTION,
        "if it continues, check KEY_VAULT_URL, firewalls and the private endpoint, then Azure's status",
        what="the vault is not available",
        statuses={NO_ANSWER, 408} | SERVER_ERRORS),
    Refusal("vault_unreadable", RetryableError, Who.NETWORK,
        "check KEY_VAULT_URL, and what answers between the app and the vault: a proxy that inspects TLS, or a login "
        "page",
        what="something answered that is not the vault",
        statuses={UNREADABLE}),
    Refusal("vault_unexpected", PermanentError, Who.ADMINISTRATOR,
        "check KEY_VAULT_URL and PIGMENT_KEY_SECRET",
        what="the vault refused a request of this app as wrong"),
)
