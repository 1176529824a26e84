"""The connection controller: Connection resources, taken to Syndesis's server.

It does what Syndesis issue 3692 asks of Syndesis itself, and is there until Syndesis does. It knows nothing of
AddressSpaces: any Connection in a namespace with a Syndesis is its own.
"""
