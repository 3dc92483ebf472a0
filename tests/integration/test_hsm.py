# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian hsm` and its library on two real modules: SoftHSM2, and tpm2-pkcs11 on a software TPM."""
import glob
import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.environ["VD_SOURCE_ROOT"], "tests", "support"))
import tap  # noqa: E402
from swtpm import Swtpm  # noqa: E402

BUILD = os.environ["VD_BUILD_ROOT"]
VERIDIAN = os.path.join(BUILD, "bin", "veridian")
EXERCISE = os.path.join(BUILD, "tests", "integration", "hsm_exercise")
PIN, SO_PIN = "123456", "654321"


def module(pattern):
    found = [p for d in ("/usr/lib", "/usr/lib/*", "/usr/lib/*/*") for p in glob.glob(f"{d}/{pattern}")]
    if not found:
        raise tap.Skip(f"{pattern} is not installed")
    return found[0]


class Token:
    """A fresh token `boot` with a PIN, and the environment in which its module finds it."""

    def __enter__(self):
        self.top = tempfile.TemporaryDirectory()
        self.dir = self.top.name
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("VERIDIAN_PKCS11")}
        try:
            self.make()
        except BaseException:
            self.__exit__()
            raise
        self.pin = self.write("pin", PIN.encode() + b"\n")
        os.chmod(self.pin, 0o600)
        self.uri = "pkcs11:token=boot"
        return self

    def __exit__(self, *exc):
        self.close()
        self.top.cleanup()

    def close(self):
        pass

    def write(self, name, data):
        path = os.path.join(self.dir, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def read(self, name):
        with open(os.path.join(self.dir, name), "rb") as f:
            return f.read()

    def run(self, *args, code=0, env=None, **kwargs):
        done = subprocess.run(args, capture_output=True, timeout=120, env=dict(self.env, **(env or {})),
                              cwd=self.dir, stdin=subprocess.DEVNULL, start_new_session=True, **kwargs)
        if code is not None and done.returncode != code:
            raise AssertionError(f"{args}: exit {done.returncode}, expected {code}\n"
                                 f"{done.stdout.decode()}{done.stderr.decode()}")
        return done

    def hsm(self, verb, *args, pin=True, **kwargs):
        more = ("--module", self.module, *(("--pin-file", self.pin) if pin else ()))
        return self.run(VERIDIAN, "hsm", verb, *more, *args, **kwargs)

    def exercise(self, lacks, **more):
        self.run(EXERCISE, env={"VD_HSM_MODULE": self.module, "VD_HSM_TOKEN": "boot",
                                "VD_HSM_PIN": PIN, "VD_HSM_LACKS": lacks, **more})


class SoftToken(Token):
    def make(self):
        if shutil.which("softhsm2-util") is None:
            raise tap.Skip("softhsm2-util is not installed")
        self.module = module("libsofthsm2.so")
        os.mkdir(f"{self.dir}/tokens")
        conf = self.write("conf", f"directories.tokendir = {self.dir}/tokens\nlog.level = ERROR\n".encode())
        self.env["SOFTHSM2_CONF"] = conf
        self.run("softhsm2-util", "--init-token", "--free", "--label", "boot", "--pin", PIN,
                 "--so-pin", SO_PIN)


class TpmToken(Token):
    """tpm2-pkcs11, which needs a resource manager: tpm2-abrmd on a message bus of the test's own."""

    def make(self):
        for tool in ("tpm2_ptool", "tpm2-abrmd", "dbus-daemon"):
            if shutil.which(tool) is None:
                raise tap.Skip(f"{tool} is not installed")
        module("libtss2-tcti-tabrmd.so*")
        self.module = module("libtpm2_pkcs11.so*")
        self.started = []
        self.tpm = Swtpm(self.dir)
        os.mkdir(f"{self.dir}/store")
        bus = f"unix:path={self.dir}/bus"
        self.env.update(TPM2_PKCS11_STORE=f"{self.dir}/store", DBUS_SESSION_BUS_ADDRESS=bus,
                        TPM2_PKCS11_TCTI="tabrmd:bus_type=session", TPM2TOOLS_TCTI="tabrmd:bus_type=session")
        self.start("dbus-daemon", "--session", "--nofork", "--nopidfile", f"--address={bus}")
        self.wait_for(lambda: os.path.exists(f"{self.dir}/bus"))
        self.start("tpm2-abrmd", "--session", "--allow-root", "--flush-all", "--tcti", self.tpm.name)
        self.wait_for(lambda: self.run("tpm2_getcap", "properties-fixed", code=None).returncode == 0)
        store = ("--path", f"{self.dir}/store")
        self.run("tpm2_ptool", "init", *store)
        self.run("tpm2_ptool", "addtoken", "--pid", "1", "--label", "boot", "--userpin", PIN,
                 "--sopin", SO_PIN, *store)

    def start(self, *args):
        self.started.append(subprocess.Popen(args, env=self.env, stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    @staticmethod
    def wait_for(condition):
        limit = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < limit, "the message bus or the resource manager does not start"
            time.sleep(0.02)

    def close(self):
        for process in reversed(getattr(self, "started", [])):
            process.terminate()
            process.wait(20)
        if hasattr(self, "tpm"):
            self.tpm.close()


def public_verifies(t, name, key, *options):
    t.run("openssl", "dgst", "-sha256", *options, "-verify", key, "-signature", name, "message")


def case_softhsm_does_everything_but_what_it_names():
    with SoftToken() as t:
        t.exercise("CKM_RSA_PKCS_OAEP")  # it has SHA-1 alone there


def case_tpm2_pkcs11_does_everything_but_what_it_names():
    with TpmToken() as t:
        # CKM_AES_KEY_GEN is in its list, but not in its C_GenerateKey.
        t.exercise("CKM_AES_KEY_GEN CKM_AES_KEY_WRAP CKM_ECDH1_DERIVE", VD_HSM_FRAGILE="1")


def case_a_tpm_signs_by_the_command():
    with TpmToken() as t:
        t.write("message", os.urandom(100000))  # more than one call takes
        t.hsm("create", "--kind", "rsa-2048", "--out", "key.pem", f"{t.uri};object=k")
        t.hsm("sign", "--in", "message", "--out", "sig", f"{t.uri};object=k")
        public_verifies(t, "sig", "key.pem", "-sigopt", "rsa_padding_mode:pss")
        done = t.hsm("create", "--kind", "rsa-4096", f"{t.uri};object=l", code=3)
        assert b"1024 to 3072 bits" in done.stderr, done
        done = t.hsm("create", "--kind", "aes-256", f"{t.uri};object=l", code=3)
        assert b"CKM_AES_KEY_GEN" in done.stderr, done
        uses = {o["type"]: o["uses"] for o in map(json.loads, t.hsm("list", "--json", t.uri).stdout.splitlines())}
        assert uses["private"] == ["sign", "decrypt"], uses
        t.hsm("destroy", f"{t.uri};object=k;type=private")
        assert t.hsm("list", t.uri).stdout == b""


def case_keys_by_the_command():
    with SoftToken() as t:
        t.write("message", os.urandom(3000))
        uris = {}
        for kind in ("ec-p256", "rsa-2048"):
            out = t.hsm("create", "--kind", kind, "--out", f"{kind}.pem", "--json", f"{t.uri};object={kind}")
            made = json.loads(out.stdout)
            assert made["kind"] == kind and made["sensitive"] and not made["extractable"], made
            uris[kind] = made["uri"]
            assert t.hsm("public", made["uri"].replace("type=private", "type=public"),
                         pin=False).stdout == t.read(f"{kind}.pem")
        t.hsm("sign", "--in", "message", "--out", "ec.sig", uris["ec-p256"])
        public_verifies(t, "ec.sig", "ec-p256.pem")
        t.hsm("sign", "--in", "message", "--out", "pss.sig", uris["rsa-2048"])
        public_verifies(t, "pss.sig", "rsa-2048.pem", "-sigopt", "rsa_padding_mode:pss")
        t.hsm("sign", "--in", "message", "--scheme", "pkcs1", "--out", "rsa.sig", uris["rsa-2048"])
        public_verifies(t, "rsa.sig", "rsa-2048.pem")
        t.write("digest", subprocess.run(["openssl", "dgst", "-sha256", "-binary", f"{t.dir}/message"],
                                         capture_output=True, check=True).stdout)
        t.hsm("sign", "--digest", "--in", "digest", "--out", "digest.sig", uris["ec-p256"])
        public_verifies(t, "digest.sig", "ec-p256.pem")
        t.hsm("sign", "--scheme", "pkcs1", "--in", "message", "--out", "x", uris["ec-p256"], code=2)
        t.hsm("destroy", uris["ec-p256"])
        t.hsm("sign", "--in", "message", "--out", "x", uris["ec-p256"], code=2)
        objects = [json.loads(line) for line in t.hsm("list", "--json", t.uri).stdout.splitlines()]
        assert sorted((o["type"], o["kind"]) for o in objects) == \
            [("private", "rsa-2048"), ("public", "rsa-2048")], objects


def case_secret_keys_by_the_command():
    with SoftToken() as t:
        t.write("message", b"secret text")
        t.write("aad", b"bound")
        t.hsm("create", "--kind", "aes-256", f"{t.uri};object=a")
        t.hsm("create", "--kind", "aes-256", "--use", "wrap", f"{t.uri};object=w")
        a = f"{t.uri};object=a"
        t.hsm("encrypt", "--in", "message", "--aad", "aad", "--out", "sealed", a)
        assert len(t.read("sealed")) == len(b"secret text") + 28
        t.hsm("decrypt", "--in", "sealed", "--aad", "aad", "--out", "opened", a)
        assert t.read("opened") == b"secret text"
        assert os.stat(f"{t.dir}/opened").st_mode & 0o777 == 0o600
        t.hsm("decrypt", "--in", "sealed", "--out", "x", a, code=1)
        t.write("sealed", t.read("sealed")[:-1] + bytes([t.read("sealed")[-1] ^ 1]))
        t.hsm("decrypt", "--in", "sealed", "--aad", "aad", "--out", "x", a, code=1)
        t.write("sealed", t.read("sealed")[:27])
        t.hsm("decrypt", "--in", "sealed", "--out", "x", a, code=2)
        done = t.hsm("encrypt", "--in", "message", "--out", "x", f"{t.uri};object=w", code=1)
        assert b"C_EncryptInit" in done.stderr, done
        t.hsm("create", "--kind", "aes-256", f"{t.uri};object=a", code=2)
        t.hsm("create", "--kind", "ec-p256", "--use", "wrap", f"{t.uri};object=b", code=2)
        assert not os.path.exists(f"{t.dir}/x")
        # A second look at what the attributes are.
        if shutil.which("pkcs11-tool"):
            out = t.run("pkcs11-tool", "--module", t.module, "--login", "--pin", PIN, "-O").stdout.decode()
            assert out.count("never extractable") == 2 and "extractable, " not in out.replace(
                "never extractable", ""), out


def case_the_pin_comes_from_many_places_but_never_from_the_call():
    with SoftToken() as t:
        create = ("create", "--kind", "aes-256")
        t.hsm(*create, f"{t.uri};object=a", pin=False, code=2)  # no terminal to ask on
        t.hsm(*create, f"{t.uri};object=a", pin=False, env={"VERIDIAN_PKCS11_PIN": PIN})
        t.hsm(*create, f"{t.uri};object=b?pin-source={t.pin}", pin=False)
        t.hsm(*create, f"{t.uri};object=c?pin-source=file:{t.pin}", pin=False)
        t.run(VERIDIAN, "hsm", *create, f"{t.uri};object=d?module-path={t.module}&pin-source={t.pin}")
        done = t.hsm(*create, f"{t.uri};object=e?pin-value={PIN}", pin=False, code=3)
        assert b"pin-source" in done.stderr and PIN.encode() not in done.stderr, done
        done = t.hsm("list", t.uri, pin=False)
        assert done.stdout == b"", done
        os.chmod(t.pin, 0o644)
        assert b"every user" in t.hsm(*create, f"{t.uri};object=f", code=1).stderr
        wrong = t.write("wrong", b"999999\n")
        os.chmod(wrong, 0o600)
        done = t.hsm(*create, f"{t.uri};object=f?pin-source={wrong}", pin=False, code=1)
        assert b"CKR_PIN_INCORRECT" in done.stderr and b"999999" not in done.stderr, done
        t.write("wrong", b"\n")
        t.hsm(*create, f"{t.uri};object=f?pin-source={wrong}", pin=False, code=2)


def at_a_terminal(t, answer, *args):
    """The command with a terminal of its own, on which the PIN is typed; (exit code, what it showed)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(VERIDIAN, [VERIDIAN, "hsm", *args], t.env)
    shown = b""
    while b"PIN: " not in shown:
        shown += os.read(fd, 1024)
    os.write(fd, answer)
    try:
        while more := os.read(fd, 1024):
            shown += more
    except OSError:
        pass  # the other side is closed
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown


def case_a_pin_is_typed_without_echo():
    with SoftToken() as t:
        call = ("create", "--module", t.module, "--kind", "aes-256")
        code, shown = at_a_terminal(t, PIN.encode() + b"\n", *call, f"{t.uri};object=a")
        assert code == 0 and PIN.encode() not in shown and b"object=a" in shown, shown
        code, shown = at_a_terminal(t, b"\x03", *call, f"{t.uri};object=b")
        assert code == 2 and b"no PIN was given" in shown, shown
        code, shown = at_a_terminal(t, b"1" * 300 + b"\n", *call, f"{t.uri};object=b")
        assert code == 2 and b"at most 256" in shown and b"111" not in shown, shown


def case_what_is_not_there_is_said():
    with SoftToken() as t:
        tokens = [json.loads(line) for line in t.hsm("list", "--json", pin=False).stdout.splitlines()]
        boot = [x for x in tokens if x["token"] == "boot"][0]
        assert boot["state"] == "ready" and boot["uri"].startswith("pkcs11:token=boot;"), tokens
        info = json.loads(t.hsm("info", "--json", boot["uri"], pin=False).stdout)
        assert "CKM_AES_GCM" in [m["name"] for m in info["mechanisms"]], info
        assert t.hsm("info", pin=False).stdout == t.hsm("info", t.uri, pin=False).stdout
        t.hsm("list", "pkcs11:token=other", code=3)
        t.hsm("list", f"pkcs11:serial={boot['serial']}x", code=2)  # longer than any
        t.hsm("list", "pkcs11:serial=0", code=3)
        t.hsm("list", f"pkcs11:slot-id={boot['slot']}")
        done = t.hsm("list", "pkcs11:token=boot;colour=red", code=2)
        assert b"byte 18" in done.stderr, done
        t.hsm("destroy", f"{t.uri};object=x", code=2)
        t.run(VERIDIAN, "hsm", "list", code=2)
        t.run(VERIDIAN, "hsm", "list", "--module", "/nowhere/x.so", code=3)
        t.run(VERIDIAN, "hsm", "list", "--module", "libsofthsm2.so", code=2)
        libc = module("libcrypto.so.3")
        t.run(VERIDIAN, "hsm", "list", "--module", libc, code=2)
        t.run("softhsm2-util", "--init-token", "--free", "--label", "boot", "--pin", PIN, "--so-pin", SO_PIN)
        done = t.hsm("list", t.uri, code=2)
        assert b"several tokens" in done.stderr, done
        t.hsm("list", f"{t.uri};serial={boot['serial']}")


if __name__ == "__main__":
    sys.exit(tap.run())
