"""The hosted systems as a folder of files to read, compare and keep: it runs every rule and enforces nothing."""
