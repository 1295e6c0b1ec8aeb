"""Owners and POSIX ACLs of the lake stand-in: stored, inherited and shown, never enforced.

Source: https://learn.microsoft.com/azure/storage/blobs/data-lake-storage-access-control
"""

import re
from dataclasses import dataclass, replace

from emulators.lake.problems import Problem, Refused

_ENTRY = re.compile(r"(default:)?(user|group|mask|other):[^:,]*:[r-][w-][x-]")
_SYMBOLIC = re.compile(r"([r-][w-][x-]){3}\+?")
_OCTAL = re.compile(r"[0-7]?[0-7]{3}")
_DEFAULT = "default:"
NEW_FILE = "user::rw-,group::r--,other::---"
NEW_DIRECTORY = "user::rwx,group::r-x,other::---"


@dataclass(frozen=True, slots=True)
class Access:
    """A path's owner and group, and its ACL in the short form, separated by commas."""

    owner: str = "$superuser"
    group: str = "$superuser"
    acl: str = NEW_DIRECTORY

    @property
    def permissions(self) -> str:
        """The nine letters, followed by `+` if the ACL has more entries."""
        entries = [entry for entry in self.acl.split(",") if not entry.startswith(_DEFAULT)]
        rights = {entry.rpartition(":")[0]: entry.rpartition(":")[2] for entry in entries}
        group = rights.get("mask:", rights.get("group:", "---"))
        extended = "+" if len(self.acl.split(",")) > 3 else ""
        return rights.get("user:", "---") + group + rights.get("other:", "---") + extended

    def headers(self) -> dict[str, str]:
        """Return the headers with owner, group, permissions and ACL."""
        return {
            "x-ms-owner": self.owner,
            "x-ms-group": self.group,
            "x-ms-permissions": self.permissions,
            "x-ms-acl": self.acl,
        }


@dataclass(frozen=True, slots=True)
class AccessRequest:
    """The fields of a create or setAccessControl request; None where a header is absent."""

    owner: str | None = None
    group: str | None = None
    permissions: str | None = None
    umask: str | None = None
    acl: str | None = None

    def __post_init__(self) -> None:
        if self.acl is not None and not all(_ENTRY.fullmatch(entry) for entry in self.acl.split(",")):
            raise Refused(Problem.HEADER_VALUE, "x-ms-acl")
        for name, value in (("permissions", self.permissions), ("umask", self.umask)):
            if value is not None and not (_OCTAL.fullmatch(value) or _SYMBOLIC.fullmatch(value)):
                raise Refused(Problem.HEADER_VALUE, f"x-ms-{name}")


def of_new_path(parent: Access, *, directory: bool, asked: AccessRequest) -> Access:
    """Return the access of a path created in a folder: by the folder's default ACL, or else the standard rights."""
    inherited = [entry for entry in parent.acl.split(",") if entry.startswith(_DEFAULT)]
    if inherited:
        own = [entry.removeprefix(_DEFAULT) for entry in inherited]
        acl = ",".join(own + inherited if directory else own)
    else:
        acl = NEW_DIRECTORY if directory else NEW_FILE
    made = Access(acl=acl)
    if asked.permissions is not None and asked.umask is not None:
        asked = replace(asked, permissions=_masked(asked.permissions, asked.umask))
    return changed(made, asked)


def changed(access: Access, asked: AccessRequest) -> Access:
    """Return the access with the requested changes."""
    acl = access.acl
    if asked.acl is not None:
        acl = asked.acl
    if asked.permissions is not None:
        acl = _with_rights(acl, _nine_letters(asked.permissions))
    return Access(asked.owner or access.owner, asked.group or access.group, acl)


def _nine_letters(permissions: str) -> str:
    if _OCTAL.fullmatch(permissions):
        bits = int(permissions[-3:], 8)
        return "".join("rwxrwxrwx"[i] if bits >> (8 - i) & 1 else "-" for i in range(9))
    return permissions[:9]


def _masked(permissions: str, umask: str) -> str:
    hidden = _nine_letters(umask)
    return "".join(
        "-" if mask != "-" else right for right, mask in zip(_nine_letters(permissions), hidden, strict=True)
    )


def _with_rights(acl: str, letters: str) -> str:
    entries = acl.split(",")
    group = "mask::" if any(entry.startswith("mask::") for entry in entries) else "group::"
    rights = {"user::": letters[:3], group: letters[3:6], "other::": letters[6:]}
    kept = []
    for entry in entries:
        name = entry[: entry.rindex(":") + 1]
        kept.append(name + rights.pop(name) if name in rights else entry)
    return ",".join([name + right for name, right in rights.items()] + kept)
