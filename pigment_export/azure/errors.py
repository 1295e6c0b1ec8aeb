"""What Azure's refusals mean: whether a retry may help, who must act, and what they should do.

One table a service (the lake's in `lake_errors`) is the code, the test and `docs/errors-azure.md`. Its rows are tried
from the top; the last one takes whatever is left. No row says whether a write took effect: an error cannot tell.
"""

from dataclasses import dataclass

from pigment_export.errors import ErrorRow, PermanentError, RetryableError, SetupError, Who

SERVER_ERRORS = frozenset(range(500, 600))
NO_ANSWER = None  # stands where a status would


@dataclass(frozen=True, slots=True)
class Refusal(ErrorRow):
    """One row: which answers it takes, and what they mean. A row with neither statuses nor names takes any.

    Attributes:
        statuses: HTTP statuses that it takes, `NO_ANSWER` among them.
        names: the service's own error codes that it takes, whatever the status.
    """

    statuses: frozenset[int | None] = frozenset()
    names: frozenset[str] = frozenset()

    def takes(self, status: int | None, names: frozenset[str]) -> bool:
        """Return whether an answer belongs to this row."""
        return status in self.statuses or bool(names & self.names) or not (self.statuses or self.names)


@dataclass(frozen=True, slots=True)
class Refusals:
    """What the answers of one service mean.

    Attributes:
        rows: tried from the top.
        unreadable: the row of an answer that cannot be the service's: it has no id, or no sense.
    """

    rows: tuple[Refusal, ...]
    unreadable: ErrorRow

    def meaning_of(self, status: int | None, names: frozenset[str]) -> Refusal:
        """Return the row of an answer.

        Args:
            status: HTTP status; `NO_ANSWER` where none came.
            names: the error codes in the answer, inner ones too.
        """
        return next(row for row in self.rows if row.takes(status, names))


IDENTITY_NOT_SIGNED_IN = ErrorRow(
    "identity_not_signed_in",
    SetupError,
    "this machine is not signed in to Azure",
    Who.CALLER,
    "run `az login`, then start again",
)
IDENTITY_REFUSED = ErrorRow(
    "identity_refused",
    SetupError,
    "Microsoft Entra does not give this identity a token",
    Who.ADMINISTRATOR,
    "on a laptop, run `az login` again; else look up the AADSTS code, and check AZURE_CLIENT_ID, AZURE_TENANT_ID and "
    "the secret or certificate that belongs to them",
)
IDENTITY_MISSING = ErrorRow(
    "identity_missing",
    SetupError,
    "the app does not have this managed identity",
    Who.ADMINISTRATOR,
    "assign the identity to the app and set IDENTITY_CLIENT_ID to its client id; on a laptop, remove "
    "IDENTITY_CLIENT_ID and run `az login`",
)
IDENTITY_UNAVAILABLE = ErrorRow(
    "identity_unavailable",
    RetryableError,
    "the identity endpoint gave no token",
    Who.NO_ACTION,
    "right after a deployment this takes minutes; if it continues, check that the app's managed identity is switched "
    "on, and restart the app",
)

# Source: https://learn.microsoft.com/rest/api/keyvault/secrets/get-secret/get-secret and
# https://learn.microsoft.com/azure/key-vault/general/rest-error-codes
VAULT = Refusals(
    (
        Refusal(
            "vault_secret_disabled",
            PermanentError,
            "the secret's newest version is disabled",
            Who.KEY_OWNER,
            "enable the secret, or store a new version of it",
            names=frozenset({"SecretDisabled"}),
        ),
        Refusal(
            "vault_firewalled",
            SetupError,
            "the vault does not accept connections from this network",
            Who.ADMINISTRATOR,
            "check the vault's network rules, and that the app reaches it through its private endpoint where public "
            "access is disabled",
            names=frozenset({"ForbiddenByFirewall", "ForbiddenByConnection"}),
        ),
        Refusal(
            "vault_unauthenticated",
            SetupError,
            "the vault does not accept the identity's token",
            Who.ADMINISTRATOR,
            "check that the identity belongs to the vault's tenant (on a laptop: `az login --tenant`), and this "
            "machine's clock",
            statuses=frozenset({401}),
        ),
        Refusal(
            "vault_forbidden",
            SetupError,
            "the identity does not have the role to read the secret",
            Who.ADMINISTRATOR,
            "assign Key Vault Secrets User on the secret to this identity (in a vault with access policies: secret "
            "permission Get); a new assignment takes up to ten minutes",
            statuses=frozenset({403}),
        ),
        Refusal(
            "vault_secret_missing",
            PermanentError,
            "the vault has no such secret",
            Who.KEY_OWNER,
            "store the Pigment key under this name (recover the secret if it was deleted), or correct "
            "PIGMENT_KEY_SECRET or the export's secret",
            statuses=frozenset({404}),
        ),
        Refusal(
            "vault_throttled",
            RetryableError,
            "the vault is throttling requests",
            Who.NO_ACTION,
            "if it happens often, find out which other programs read this vault",
            statuses=frozenset({429}),
        ),
        Refusal(
            "vault_unavailable",
            RetryableError,
            "the vault is not available",
            Who.NO_ACTION,
            "if it continues, check KEY_VAULT_URL, firewalls and the private endpoint, then Azure's status",
            statuses=frozenset({NO_ANSWER, 408}) | SERVER_ERRORS,
        ),
        Refusal(
            "vault_unexpected",
            PermanentError,
            "the vault refused a request of this app as wrong",
            Who.ADMINISTRATOR,
            "check KEY_VAULT_URL and PIGMENT_KEY_SECRET",
        ),
    ),
    unreadable=ErrorRow(
        "vault_unreadable",
        RetryableError,
        "something answered that is not the vault",
        Who.NETWORK,
        "check KEY_VAULT_URL, and what answers between the app and the vault: a proxy that inspects TLS, or a login "
        "page",
    ),
)

KEY_MALFORMED = ErrorRow(
    "key_malformed",
    PermanentError,
    "",
    Who.KEY_OWNER,
    "store the key again, as Pigment shows it, with nothing around it",
)
KEY_NOT_AT_HAND = ErrorRow(
    "key_not_at_hand",
    PermanentError,
    "",
    Who.CATALOG,
    "set KEY_VAULT_URL instead of PIGMENT_API_KEY",
)
