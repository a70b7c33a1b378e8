"""`python -m troubadour`."""

from troubadour.cli import main

main()
