"""The library of the Data Lake protocol, in a module of its own: it is imported with the first staged file.

It is a module of this package, so that importing every module also imports every library that a call may need.
"""

from azure.storage.filedatalake import DataLakeFileClient, FileSystemClient

__all__ = ["DataLakeFileClient", "FileSystemClient"]
