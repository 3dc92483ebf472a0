#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""A TLS server whose key stays in the key service: OpenSSL 3.5 with pkcs11-provider, as Debian 13 has them."""
import os
import re
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
CONFIG = """openssl_conf = init
[init]
providers = provider_list
[provider_list]
default = default_provider
pkcs11 = pkcs11_provider
[default_provider]
activate = 1
[pkcs11_provider]
pkcs11-module-path = {module}
activate = 1
[req]
distinguished_name = name
[name]
"""
ENGINE = "/usr/lib/x86_64-linux-gnu/engines-3/pkcs11.so"
ENGINE_CONFIG = """openssl_conf = init
[init]
engines = engine_list
[engine_list]
pkcs11 = pkcs11_engine
[pkcs11_engine]
engine_id = pkcs11
dynamic_path = {engine}
MODULE_PATH = {module}
init = 0
"""
NGINX_CONFIG = """daemon off;
pid {top}/pid;
error_log {top}/log;
worker_processes 2;
env VERIDIAN_CRYPTO_SOCKET;
env OPENSSL_CONF;
ssl_engine pkcs11;
{user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {top}/1;
    proxy_temp_path {top}/2;
    fastcgi_temp_path {top}/3;
    uwsgi_temp_path {top}/4;
    scgi_temp_path {top}/5;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_certificate {certificate};
        ssl_certificate_key "engine:pkcs11:{key}";
        return 200 "from nginx\\n";
    }}
}}
"""
KINDS = (("ec", "EC:prime256v1"), ("rsa", "rsa:4096"))


def debian13_openssl():
    """OpenSSL of Debian 13, where scripts/setup could get it."""
    program = os.path.join(os.environ.get("VD_CACHE", ""), "debian13-tls/openssl")
    if not os.access(program, os.X_OK):
        raise Skip("Debian 13's openssl is not there (scripts/setup brings it)")
    return program


class Place:
    """Programs, environment and files of the test."""

    def __init__(self, directory, service):
        self.directory = directory
        self.service = service
        self.openssl = debian13_openssl()
        with open(f"{directory}/openssl.cnf", "w", encoding="utf-8") as f:
            f.write(CONFIG.format(module=MODULE))
        self.plain = dict(os.environ, VERIDIAN_CRYPTO_SOCKET=service.socket)
        self.env = dict(self.plain, OPENSSL_CONF=f"{directory}/openssl.cnf")
        with open(self.path("text"), "w", encoding="ascii") as f:
            f.write("what is signed\n")

    def path(self, name):
        return f"{self.directory}/{name}"

    def run(self, *args, env=None, **more):
        return subprocess.run(args, env=env or self.env, capture_output=True, text=True, timeout=120,
                              **more)

    def good(self, *args, **more):
        done = self.run(*args, **more)
        assert done.returncode == 0, f"{args}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def provider(self, *args, **more):
        """OpenSSL 3.5 with the provider."""
        return self.good(self.openssl, *args, **more)

    def system(self, *args, **more):
        """The system's own OpenSSL, which knows nothing of the module."""
        return self.good("openssl", *args, env=self.plain, **more)


def make_keys(place):
    tool = shutil.which("pkcs11-tool")
    if tool is None:
        raise Skip("pkcs11-tool is not installed")
    for label, kind in KINDS:
        place.good(tool, "--module", MODULE, "--login", "--pin", "none", "--keypairgen", "--key-type",
                   kind, "--label", label, "--usage-sign")
        place.provider("req", "-x509", "-new", "-key", private(label), "-subj", "/CN=localhost", "-days",
                       "2", "-addext", "subjectAltName=DNS:localhost", "-out", place.path(label + ".pem"))


def private(label):
    return f"pkcs11:object={label};type=private"


def signs(place):
    """Signatures through the provider hold for the system's OpenSSL, and for that text alone."""
    for label, _ in KINDS:
        public = place.path(label + ".pub")
        with open(public, "w", encoding="ascii") as f:
            f.write(place.system("x509", "-in", place.path(label + ".pem"), "-noout", "-pubkey"))
        place.provider("dgst", "-sha256", "-sign", private(label), "-out", place.path("s1"),
                       place.path("text"))
        place.provider("pkeyutl", "-sign", "-inkey", private(label), "-rawin", "-digest", "sha384",
                       "-in", place.path("text"), "-out", place.path("s2"))
        for digest, signature in (("-sha256", "s1"), ("-sha384", "s2")):
            check = ["dgst", digest, "-verify", public, "-signature", place.path(signature)]
            assert "OK" in place.system(*check, place.path("text"))
            assert place.run("openssl", *check, public, env=place.plain).returncode == 1
    place.provider("dgst", "-sha256", "-sign", private("rsa"), "-sigopt", "rsa_padding_mode:pss",
                   "-sigopt", "rsa_pss_saltlen:digest", "-out", place.path("s3"), place.path("text"))
    assert "OK" in place.system("dgst", "-sha256", "-verify", place.path("rsa.pub"), "-sigopt",
                                "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest", "-signature",
                                place.path("s3"), place.path("text"))


class Server:
    """openssl s_server with a key of the service."""

    def __init__(self, place, label, certificate=None):
        self.process = subprocess.Popen(
            [place.openssl, "s_server", "-accept", "127.0.0.1:0", "-key", private(label), "-cert",
             place.path((certificate or label) + ".pem"), "-www"],
            env=place.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = ""
        for line in self.process.stdout:
            said += line
            found = re.match(r"ACCEPT .*:(\d+)$", line.strip())
            if found:
                self.port = found[1]
                return
        self.process.wait()
        raise AssertionError(f"s_server does not listen:\n{said}")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.communicate()


class Nginx:
    """nginx with a key of the service, through the engine of OpenSSL 3.0 (libp11)."""

    def __init__(self, place, label):
        program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if program is None or not os.path.exists(ENGINE):
            raise Skip("nginx or OpenSSL's pkcs11 engine is not installed")
        top = place.path("nginx")
        os.mkdir(top)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        with open(f"{top}/conf", "w", encoding="utf-8") as f:
            f.write(NGINX_CONFIG.format(top=top, port=self.port, key=private(label),
                                        user="user root;" if os.getuid() == 0 else "",
                                        certificate=place.path(label + ".pem")))
        with open(f"{top}/openssl.cnf", "w", encoding="utf-8") as f:
            f.write(ENGINE_CONFIG.format(engine=ENGINE, module=MODULE))
        self.process = subprocess.Popen(
            [program, "-p", top, "-c", f"{top}/conf", "-e", f"{top}/log"],
            env=dict(place.plain, OPENSSL_CONF=f"{top}/openssl.cnf"), stderr=subprocess.DEVNULL)
        limit = time.monotonic() + 30
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None, "nginx ends"
                assert time.monotonic() < limit, "nginx does not listen"
                time.sleep(0.02)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait()


def connect(place, server, label, version):
    return place.run("openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-CAfile",
                     place.path(label + ".pem"), "-verify_return_error", "-verify_hostname",
                     "localhost", "-brief", "-ign_eof", version, env=place.plain,
                     input="GET / HTTP/1.0\r\n\r\n")


def serves(place):
    for label, _ in KINDS:
        other = "rsa" if label == "ec" else "ec"
        with Server(place, label) as server:
            for version in ("-tls1_3", "-tls1_2"):
                done = connect(place, server, label, version)
                said = done.stdout + done.stderr
                assert done.returncode == 0 and "Verification: OK" in said, said
                assert "HTTP/1.0 200" in said, said
            # Whoever trusts another certificate is not deceived.
            assert connect(place, server, other, "-tls1_3").returncode != 0


def needs_the_service(place):
    """Without the key service no handshake; with it again, the same server goes on."""
    with Server(place, "ec") as server:
        assert connect(place, server, "ec", "-tls1_3").returncode == 0
        place.service.kill()
        assert connect(place, server, "ec", "-tls1_3").returncode != 0
        place.service.start()
        done = connect(place, server, "ec", "-tls1_3")
        assert done.returncode == 0, done.stdout + done.stderr


def nginx_serves(place):
    """Its workers are children of the process that loaded the key: each has its own connection."""
    with Nginx(place, "ec") as server:
        for version in ("-tls1_3", "-tls1_2", "-tls1_3", "-tls1_3"):
            done = connect(place, server, "ec", version)
            said = done.stdout + done.stderr
            assert "Verification: OK" in said and "from nginx" in said, said
        place.service.kill()
        assert connect(place, server, "ec", "-tls1_3").returncode != 0
        place.service.start()
        done = connect(place, server, "ec", "-tls1_3")
        assert "from nginx" in done.stdout, done.stdout + done.stderr


def other_certificate(place):
    """A certificate of another key does not come into use."""
    done = place.run(place.openssl, "s_server", "-accept", "127.0.0.1:0", "-key", private("ec"), "-cert",
                     place.path("rsa.pem"), "-www")
    assert done.returncode != 0 and "ACCEPT" not in done.stdout, done.stdout


def main():
    directory = tempfile.mkdtemp()
    tap = Tap()
    try:
        with Cryptod(directory) as service:
            try:
                place = Place(directory, service)
                make_keys(place)
            except Skip as reason:
                print(f"1..0 # SKIP {reason}")
                return 0
            for case in (signs, serves, other_certificate, needs_the_service, nginx_serves):
                try:
                    case(place)
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
