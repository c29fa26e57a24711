"""Real calls between two peers of this SDK, made to be measured. What ``shim call`` runs."""
