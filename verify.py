#!/usr/bin/env python3
"""Checks a running stack: `python verify.py` is `optivgi verify`."""

import sys

from optivgi.verifier import main

if __name__ == "__main__":
    sys.exit(main(prog="verify.py"))
