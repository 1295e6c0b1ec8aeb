"""Listings of the Blob protocol of the lake stand-in, and its XML answers."""

from datetime import datetime
from xml.etree import ElementTree as ET

from emulators.lake.leases import Lease
from emulators.lake.messages import SETTINGS, Reply, Request, decode_token, encode_token, http_date
from emulators.lake.nodes import FileSystem, Node
from emulators.lake.problems import Problem, Refused
from emulators.lake.store import Store

_PAGE = 5000  # the service's own page of a listing


def list_file_systems(store: Store, request: Request) -> Reply:
    """List the file systems of the account."""
    root = ET.Element("EnumerationResults", ServiceEndpoint=f"https://{request.headers.get('host', '')}/")
    prefix = request.query.get("prefix", "")
    names = sorted(name for name in store.file_systems if name.startswith(prefix))
    marker = decode_token(request.query.get("marker", ""))
    names = [name for name in names if name > marker]
    most = min(request.number("maxresults", least=1, missing=_PAGE), _PAGE)
    containers = ET.SubElement(root, "Containers")
    for name in names[:most]:
        system = store.file_systems[name]
        entry = ET.SubElement(containers, "Container")
        ET.SubElement(entry, "Name").text = name
        properties = ET.SubElement(entry, "Properties")
        ET.SubElement(properties, "Last-Modified").text = http_date(system.modified)
        ET.SubElement(properties, "Etag").text = system.etag
        _add_lease(properties, system.lease, store.now())
        for flag in ("HasImmutabilityPolicy", "HasLegalHold"):
            ET.SubElement(properties, flag).text = "false"
        if "metadata" in request.query.get("include", ""):
            _add_metadata(entry, system.metadata)
    ET.SubElement(root, "NextMarker").text = encode_token(names[most - 1]) if len(names) > most else ""
    return xml_reply(root)


def list_blobs(store: Store, request: Request) -> Reply:
    """List the files and directories of a file system."""
    system = store.file_system(request.file_system)
    prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
    if delimiter not in {"", "/"}:
        raise Refused(Problem.QUERY_VALUE, "in a hierarchical namespace, the only delimiter is /")
    most = min(request.number("maxresults", least=1, missing=_PAGE), _PAGE)
    marker = decode_token(request.query.get("marker", ""))
    found = _entries(system, prefix, delimiter)
    if marker:
        found = [entry for entry in found if entry[0].rstrip("/").split("/") > marker.rstrip("/").split("/")]
    root = ET.Element(
        "EnumerationResults",
        ServiceEndpoint=f"https://{request.headers.get('host', '')}/",
        ContainerName=request.file_system,
    )
    for name in ("Prefix", "Marker", "MaxResults", "Delimiter"):
        if value := request.query.get(name.lower()):
            ET.SubElement(root, name).text = value
    blobs = ET.SubElement(root, "Blobs")
    with_metadata = "metadata" in request.query.get("include", "").split(",")
    for name, node in found[:most]:
        if name.endswith("/"):
            ET.SubElement(ET.SubElement(blobs, "BlobPrefix"), "Name").text = name
        else:
            _add_blob(blobs, name, node, store.now(), with_metadata=with_metadata)
    ET.SubElement(root, "NextMarker").text = encode_token(found[most - 1][0]) if len(found) > most else ""
    return xml_reply(root)


def _entries(system: FileSystem, prefix: str, delimiter: str) -> list[tuple[str, Node]]:
    """Return the entries of a listing. With a delimiter, a directory is one entry, its name with a slash."""
    listed = [(path, node) for path, node in system.under("") if path.startswith(prefix)]
    if not delimiter:
        return listed
    here = [(path, node) for path, node in listed if "/" not in path[len(prefix) :]]
    return [(f"{path}/" if node.directory else path, node) for path, node in here]


def _add_blob(blobs: ET.Element, name: str, node: Node, now: datetime, *, with_metadata: bool) -> None:
    entry = ET.SubElement(blobs, "Blob")
    ET.SubElement(entry, "Name").text = name
    properties = ET.SubElement(entry, "Properties")
    told = {
        "Creation-Time": http_date(node.created),
        "Last-Modified": http_date(node.modified),
        "Etag": node.etag.strip('"'),
        "ResourceType": "directory" if node.directory else "file",
        "Content-Length": str(node.length),
    }
    told |= dict.fromkeys(SETTINGS, "") | {"Content-Type": "application/octet-stream"} | node.settings
    told |= {"BlobType": "BlockBlob", "AccessTier": "Hot", "AccessTierInferred": "true"}
    for key, value in told.items():
        ET.SubElement(properties, key).text = value
    _add_lease(properties, node.lease, now)
    ET.SubElement(properties, "ServerEncrypted").text = "true"
    if with_metadata:
        _add_metadata(entry, shown_metadata(node))


def _add_lease(properties: ET.Element, lease: Lease, now: datetime) -> None:
    for name, value in lease.headers(now).items():
        tag = "".join(part.capitalize() for part in name.removeprefix("x-ms-").split("-"))
        ET.SubElement(properties, tag).text = value


def _add_metadata(entry: ET.Element, metadata: dict[str, str]) -> None:
    element = ET.SubElement(entry, "Metadata")
    for name, value in metadata.items():
        ET.SubElement(element, name).text = value


def shown_metadata(node: Node) -> dict[str, str]:
    """Return a path's metadata; a directory's includes `hdi_isfolder`."""
    return node.metadata | {"hdi_isfolder": "true"} if node.directory else node.metadata


def xml_reply(root: ET.Element, status: int = 200) -> Reply:
    """Return a reply with an XML body."""
    body = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return Reply(status, {"Content-Type": "application/xml"}, body)
