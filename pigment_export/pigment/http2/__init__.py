"""An HTTP/2 transport for requests that reports every end of a body that nothing proves."""
