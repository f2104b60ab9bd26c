"""Lets `python -m motcua` be the command; it must hold nothing else."""

from motcua.cli import main

if __name__ == "__main__":
    main()
