"""Methods of other libraries behind the same call."""
