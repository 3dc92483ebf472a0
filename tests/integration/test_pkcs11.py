#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The PKCS#11 module with the real key service: its own cases, and other people's programs."""
import getpass
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.environ.get("VD_SOURCE_ROOT", ".")
BUILD = os.environ.get("VD_BUILD_ROOT", "build")
sys.path.insert(0, os.path.join(ROOT, "tests/support"))
from cryptod import Cryptod  # noqa: E402
from tap import Skip, Tap  # noqa: E402

MODULE = os.path.abspath(f"{BUILD}/lib/libveridian-pkcs11.so")


def call(args, env, **more):
    return subprocess.run(args, env=env, capture_output=True, text=True, timeout=300, **more)


def good(done):
    """The program's output, if it ended well."""
    assert done.returncode == 0, f"{done.args}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def need(name):
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/libexec")
    if found is None:
        raise Skip(f"{name} is not installed")
    return found


def tool(env, *args):
    return call([need("pkcs11-tool"), "--module", MODULE, "--login", "--pin", "none", *args], env)


def pkcs11_tool_makes_pairs(env, _):
    for kind, label, number in (("EC:prime256v1", "tool-ec", "11"), ("rsa:4096", "tool-rsa", "12")):
        good(tool(env, "--keypairgen", "--key-type", kind, "--label", label, "--id", number,
                  "--usage-sign"))
    listed = good(tool(env, "--list-objects"))
    assert "tool-ec" in listed and "tool-rsa" in listed, listed


def pkcs11_tool_test(env, _):
    tested = tool(env, "--test")
    assert "No errors" in good(tested), tested.stdout + tested.stderr


def pkcs11_tool_signs(env, directory):
    text, signature, public = (f"{directory}/{name}" for name in ("text", "signature", "public"))
    with open(text, "wb") as f:
        f.write(b"what is signed\n" * 20)
    good(tool(env, "--sign", "--id", "11", "-m", "ECDSA-SHA256", "--signature-format", "openssl",
              "-i", text, "-o", signature))
    good(tool(env, "--read-object", "--type", "pubkey", "--id", "11", "-o", public))
    check = ["openssl", "dgst", "-sha256", "-verify", public, "-keyform", "DER", "-signature",
             signature, text]
    good(call(check, env))
    with open(text, "ab") as f:
        f.write(b"and more")
    assert call(check, env).returncode == 1


def p11tool(env, _):
    program = need("p11tool")
    listed = good(call([program, "--provider", MODULE, "--list-all", "pkcs11:token=veridian"], env))
    assert "tool-ec" in listed, listed
    good(call([program, "--provider", MODULE, "--test-sign",
               "pkcs11:token=veridian;object=tool-ec;type=private"], env))


class Sshd:
    """An sshd of the test's own on the loopback interface, which takes one public key."""

    def __init__(self, directory, authorized):
        self.directory = f"{directory}/ssh"
        os.mkdir(self.directory, 0o700)
        self.host_key = f"{self.directory}/host"
        good(call(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.host_key], os.environ))
        with open(f"{self.directory}/authorized", "w", encoding="ascii") as f:
            f.write(authorized)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        with open(f"{self.directory}/config", "w", encoding="ascii") as f:
            f.write(f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {self.host_key}\n"
                    f"AuthorizedKeysFile {self.directory}/authorized\nStrictModes no\n"
                    "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n"
                    f"PidFile none\n")
        self.process = subprocess.Popen(
            [need("sshd"), "-D", "-e", "-f", f"{self.directory}/config"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        limit = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None, self.process.stderr.read()
                assert time.monotonic() < limit, "sshd does not listen"
                time.sleep(0.02)

    def login(self, env):
        return call(["ssh", "-F", "none", "-p", str(self.port), "-I", MODULE, "-o", "BatchMode=yes",
                     "-o", "StrictHostKeyChecking=no", "-o", "IdentityFile=none",
                     "-o", f"UserKnownHostsFile={self.directory}/known",
                     f"{getpass.getuser()}@127.0.0.1", "echo", "logged in"], env)

    def close(self):
        self.process.terminate()
        self.process.wait()
        self.process.stderr.close()


def ssh_login(env, directory):
    need("ssh")
    if os.getuid() != 0:
        raise Skip("sshd needs root")
    keys = good(call(["ssh-keygen", "-D", MODULE], env))
    ours = [line for line in keys.splitlines() if line.endswith("tool-ec")]
    assert len(ours) == 1, keys
    server = Sshd(directory, ours[0] + "\n")
    try:
        assert good(server.login(env)) == "logged in\n"
        # Without the service nobody gets in.
        assert server.login(dict(env, VERIDIAN_CRYPTO_SOCKET="/nowhere")).returncode != 0
    finally:
        server.close()


def service_restarts(env, directory):
    """A key is used, the service is killed and comes back: the same key goes on."""
    service = env["VD_SERVICE"]
    text = f"{directory}/text"
    service.kill()
    assert tool(service.environment, "--sign", "--id", "11", "-m", "ECDSA-SHA256", "-i", text, "-o",
                f"{directory}/s").returncode != 0
    service.start()
    good(tool(service.environment, "--sign", "--id", "11", "-m", "ECDSA-SHA256", "-i", text, "-o",
              f"{directory}/s"))


def own_cases(tap, env):
    done = call([f"{BUILD}/tests/integration/pkcs11_cases"], env)
    for line in done.stdout.splitlines():
        if line.startswith(("ok ", "not ok ")):
            tap.check("module: " + line.split(" - ", 1)[-1], line.startswith("ok "),
                      done.stdout + done.stderr)
    tap.check("the module's cases end", done.returncode == 0 and done.stdout != "",
              done.stdout + done.stderr)


def main():
    directory = tempfile.mkdtemp()
    tap = Tap()
    try:
        with Cryptod(directory) as service:
            env = dict(os.environ, VERIDIAN_CRYPTO_SOCKET=service.socket, VD_PKCS11_MODULE=MODULE,
                       VD_SERVICE_PID=str(service.process.pid))
            service.environment = env
            own_cases(tap, env)
            for case in (pkcs11_tool_makes_pairs, pkcs11_tool_test, pkcs11_tool_signs, p11tool,
                         ssh_login, service_restarts):
                try:
                    case({**env, "VD_SERVICE": service} if case is service_restarts else env,
                         directory)
                    tap.check(case.__name__, True)
                except Skip as reason:
                    tap.skip(case.__name__, reason)
                except (AssertionError, OSError, subprocess.SubprocessError) as error:
                    tap.check(case.__name__, False, error)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(f"1..{tap.number}")
    return 1 if tap.failed else 0


sys.exit(main())
