"""What the functions of the app do: HTTP and its schemas, access, health."""
