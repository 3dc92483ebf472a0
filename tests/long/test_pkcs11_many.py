#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The PKCS#11 module with more keys than the service keeps open for one connection (65,536):
all are made in one process, and each is found by its label in another.

VD_PKCS11_KEYS: how many."""
import os
import subprocess
import sys
import tempfile

ROOT = os.environ.get("VD_SOURCE_ROOT", ".")
BUILD = os.environ.get("VD_BUILD_ROOT", "build")
sys.path.insert(0, os.path.join(ROOT, "tests", "support"))
from cryptod import Cryptod  # noqa: E402

with tempfile.TemporaryDirectory() as top, Cryptod(top) as service:
    env = dict(os.environ, VERIDIAN_CRYPTO_SOCKET=service.socket,
               VD_PKCS11_MODULE=os.path.abspath(f"{BUILD}/lib/libveridian-pkcs11.so"),
               VD_PKCS11_KEYS=os.environ.get("VD_PKCS11_KEYS", "70000"))
    sys.exit(subprocess.call([f"{BUILD}/tests/integration/pkcs11_cases", "many_keys"], env=env))
