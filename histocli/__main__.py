"""``python -m histocli`` is ``histo``."""

from histocli.cli.app import main

main()
