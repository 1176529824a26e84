"""What servers that run on this machine need: processes, ports on loopback, private files, certificates."""
