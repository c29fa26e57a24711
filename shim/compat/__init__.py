"""Other SDKs' module trees over this one."""
