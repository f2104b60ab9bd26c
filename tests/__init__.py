"""Makes `tests` this folder wherever it is imported: a package of the dev extra (ciw) installs one of that name too."""
