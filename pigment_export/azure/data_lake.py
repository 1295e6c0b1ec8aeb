"""The library of the Data Lake protocol, in a module of its own: it is imported with the first staged file.

A module of ours, so that importing every module still finds every library that a call may need.
"""

from azure.storage.filedatalake import DataLakeFileClient, FileSystemClient

__all__ = ["DataLakeFileClient", "FileSystemClient"]
