# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian key cert` with the real service; OpenSSL and GnuTLS verify what it makes.
Prints TAP."""
import atexit
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ.get("VD_SOURCE_ROOT", "."), "tests", "support"))
import tap  # noqa: E402
from keyd import Keyd  # noqa: E402

D = Keyd()
atexit.register(D.done)
KINDS = (("ecdsa-p256", ()), ("rsa-4096", ()), ("rsa-4096", ("--no-pss",)), ("ed25519", ()),
         ("ml-dsa-65", ()))


def create(name, kind, usage="sign,verify"):
    D.key("create", name, "--type", kind, "--usage", usage)
    return name


def cert(*args, code=0, data=None):
    return D.key("cert", *args, code=code, data=data)


def authority(name, kind, *more):
    create(name, kind, "certify")
    D.write(name + ".pem", cert("ca", name, "--subject", f"CN={name},O=Example", *more))
    return name + ".pem"


def request(name="www.example.org", kind="ed25519", names="DNS:www.example.org,ip:192.0.2.1"):
    key = "key-of-" + name
    if not json.loads(D.key("list", key, "--json")):
        create(key, kind)
    cert("csr", key, "--subject", "CN=" + name, "--san", names, "--out", "request.pem")
    return "request.pem"


def issued(ca):
    return json.loads(cert("list", ca, "--json"))


def text_of(name):
    return D.openssl("x509", "-in", name, "-noout", "-text").decode(errors="replace")


def case_every_algorithm_verifies_elsewhere():
    request()
    for number, (kind, more) in enumerate(KINDS):
        ca = f"ca{number}"
        root = authority(ca, kind, *more)
        cert("issue", ca, "--csr", "request.pem", "--profile", "server", "--out", "server.pem")
        D.openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", root, "server.pem")
        D.openssl("verify", "-purpose", "sslclient", "-CAfile", root, "server.pem", code=1)
        cert("verify", "server.pem", "--root", root, "--purpose", "server")
        cert("verify", "server.pem", "--root", root, "--purpose", "client", code=1)
        cert("crl", ca, "--out", "crl.pem")
        D.openssl("crl", "-in", "crl.pem", "-CAfile", root, "-noout")
        D.openssl("verify", "-crl_check", "-CRLfile", "crl.pem", "-CAfile", root, "server.pem")
        cert("revoke", ca, issued(ca)[0]["serial"].upper(), "--reason", "keyCompromise")
        cert("crl", ca, "--out", "crl.pem")
        D.openssl("verify", "-crl_check", "-CRLfile", "crl.pem", "-CAfile", root, "server.pem",
                  code=1)
        _, messages = cert("verify", "server.pem", "--root", root, "--crl", "crl.pem", code=1)
        assert "revoked" in messages, messages
        assert issued(ca)[0]["state"] == "revoked (keyCompromise)"
        if kind != "ml-dsa-65" and shutil.which("certtool"):
            done = subprocess.run(["certtool", "--verify", "--load-ca-certificate", root,
                                   "--infile", "server.pem"], cwd=D.dir, capture_output=True,
                                  check=False)
            assert done.returncode == 0 and b"trusted" in done.stdout, done


def case_request_verifies_elsewhere():
    for number, (kind, more) in enumerate(KINDS):
        key = create(f"requester{number}", kind)
        cert("csr", key, "--subject", "CN=a\\,b,C=DE", *more, "--out", "csr.pem")
        text = D.openssl("req", "-in", "csr.pem", "-verify", "-noout", "-text", "-nameopt",
                         "RFC2253").decode()
        assert "CN=a\\,b" in text


def case_content():
    cert("issue", "ca0", "--csr", request(), "--profile", "server", "--out", "server.pem")
    text = text_of("server.pem")
    for part in ("DNS:www.example.org", "IP Address:192.0.2.1", "CA:FALSE", "Digital Signature",
                 "TLS Web Server Authentication", "Issuer: CN=ca0, O=Example"):
        assert part in text, part
    serials = {row["serial"] for row in issued("ca0")}
    assert len(serials) == len(issued("ca0")) and all(len(s) == 32 for s in serials)
    # a name of another kind than the profile's is not passed on
    cert("issue", "ca0", "--csr", request("mail", names="dns:m.example.org,email:a@example.org"),
         "--profile", "server", "--out", "server.pem")
    assert "m.example.org" in text_of("server.pem") and "email" not in text_of("server.pem")


def case_what_a_request_asks_for_is_not_given():
    D.openssl("req", "-new", "-newkey", "ed25519", "-noenc", "-keyout", "evil.key", "-subj",
              "/CN=evil", "-addext", "basicConstraints=critical,CA:TRUE", "-addext",
              "keyUsage=keyCertSign", "-addext", "subjectAltName=DNS:evil.example.org", "-out",
              "evil.csr")
    cert("issue", "ca0", "--csr", "evil.csr", "--profile", "server", "--out", "evil.pem")
    text = text_of("evil.pem")
    assert "CA:FALSE" in text and "Certificate Sign" not in text
    # the control: OpenSSL gives it to whoever copies extensions
    D.openssl("x509", "-req", "-in", "evil.csr", "-signkey", "evil.key", "-copy_extensions",
              "copyall", "-out", "control.pem")
    assert "CA:TRUE" in text_of("control.pem")


def case_bad_requests():
    D.openssl("req", "-new", "-newkey", "rsa:1024", "-noenc", "-keyout", "weak.key", "-subj",
              "/CN=weak", "-out", "weak.csr")
    D.openssl("req", "-in", request(), "-outform", "DER", "-out", "good.der")
    der = D.read("good.der")
    D.write("flipped", der[:-1] + bytes([der[-1] ^ 1]))
    D.write("longer", der + b"\0")
    D.write("cut", der[:-1])
    D.write("large", b"\x30" * 70000)
    for name, code, text in (("weak.csr", 2, "not accepted"), ("flipped", 1, "not signed"),
                             ("longer", 2, "form"), ("cut", 2, "no certification request"),
                             ("large", 2, "")):
        _, messages = cert("issue", "ca0", "--csr", name, "--profile", "server", code=code)
        assert text in messages, (name, messages)
    cert("issue", "ca0", "--csr", "good.der", "--profile", "server")


def case_wrong_calls():
    request()
    before = len(issued("ca0"))
    for args, code, text in (
            (("issue", "ca0", "--csr", "request.pem", "--profile", "sever"), 2, "'server'"),
            (("issue", "ca0", "--csr", "request.pem", "--profile", "root"), 2, "cert ca"),
            (("issue", "ca0", "--csr", "request.pem", "--profile", "server", "--days", "399"), 2,
             "398"),
            (("issue", "ca0", "--csr", "request.pem", "--profile", "server", "--san",
              "dns:a b"), 2, "no alternative name"),
            (("issue", "ca0", "--csr", "request.pem", "--profile", "server", "--san",
              "email:a@b.org"), 2, "needs a DNS name"),
            (("issue", "key-of-mail", "--csr", "request.pem", "--profile", "server"), 1,
             "not for certificates"),
            (("ca", "ca0", "--subject", "XN=a"), 2, "no part of a name"),
            (("revoke", "ca0", "0" * 32), 2, ""),
            (("revoke", "ca0", "zz"), 2, "no serial number"),
            (("revoke", "ca0", "0" * 32, "--reason", "keyCompromised"), 2, "'keyCompromise'"),
            (("verify", "server.pem", "--root", "ca1.pem"), 1, "")):
        _, messages = cert(*args, code=code)
        assert text in messages, (args, messages)
    assert len(issued("ca0")) == before


def case_intermediate():
    create("between", "ecdsa-p256", "certify")
    _, messages = cert("issue", "between", "--csr", request(), "--profile", "server", code=2)
    assert "no certificate authority yet" in messages
    cert("csr", "between", "--subject", "CN=between", "--out", "between.csr")
    cert("issue", "ca4", "--csr", "between.csr", "--profile", "intermediate", "--out",
         "between.pem")
    _, messages = cert("ca", "between", "--certificate", "ca0.pem", code=2)
    assert "another key" in messages
    cert("ca", "between", "--certificate", "between.pem", "--out", "x.pem")
    cert("issue", "between", "--csr", request(), "--profile", "server", "--out", "server.pem")
    D.openssl("verify", "-x509_strict", "-CAfile", "ca4.pem", "-untrusted", "between.pem",
              "server.pem")
    cert("verify", "server.pem", "--root", "ca4.pem", "--intermediate", "between.pem")
    cert("verify", "server.pem", "--root", "ca4.pem", code=1)
    # its path is 0: no authority below it is believed
    create("below", "ecdsa-p256", "certify")
    cert("csr", "below", "--subject", "CN=below", "--out", "below.csr")
    cert("issue", "between", "--csr", "below.csr", "--profile", "intermediate", "--out",
         "below.pem")
    cert("ca", "below", "--certificate", "below.pem")
    cert("issue", "below", "--csr", request(), "--profile", "server", "--out", "deep.pem")
    cert("verify", "deep.pem", "--root", "ca4.pem", "--intermediate", "between.pem",
         "--intermediate", "below.pem", code=1)


def case_renew():
    old = issued("ca0")[-1]
    D.write("old.pem", cert("show", "ca0", old["serial"]))
    if old["state"] != "valid":
        old = next(row for row in issued("ca0") if row["state"] == "valid")
        D.write("old.pem", cert("show", "ca0", old["serial"]))
    D.write("new.pem", cert("renew", "ca0", old["serial"], "--days", "30"))
    for part in ("-pubkey", "-subject", "-ext=subjectAltName"):
        words = part.split("=")
        assert D.openssl("x509", "-in", "old.pem", "-noout", *words) == \
            D.openssl("x509", "-in", "new.pem", "-noout", *words)
    D.openssl("verify", "-CAfile", "ca0.pem", "new.pem")
    cert("revoke", "ca0", old["serial"], "--reason", "superseded")
    cert("renew", "ca0", old["serial"], code=1)
    cert("revoke", "ca0", old["serial"], code=2)


def case_both_signatures():
    create("second", "ml-dsa-65", "certify")
    root = authority("both", "ecdsa-p256", "--alternative", "second")
    cert("issue", "both", "--csr", request(), "--profile", "server", "--out", "both-server.pem")
    # others read and verify it, and do not see the second signature
    D.openssl("verify", "-x509_strict", "-CAfile", root, "both-server.pem")
    told = json.loads(cert("verify", "both-server.pem", "--root", root, "--require-alternative",
                           "--json"))
    assert told["alternative_signatures"] == 2 and told["verified"]
    _, messages = cert("verify", "server.pem", "--root", "ca4.pem", "--intermediate",
                       "between.pem", "--require-alternative", code=1)
    assert "no alternative signature" in messages


def case_forged_by_who_has_the_first_key_alone():
    """The classical key is broken: the same certificate with another key and a new first
    signature verifies elsewhere (the control), and is refused where both are required."""
    D.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
              "broken.key")
    D.key("import", "broken", "--type", "ecdsa-p256", "--in", "broken.key", "--usage", "certify")
    create("broken-second", "ml-dsa-65", "certify")
    root = "broken.pem"
    D.write(root, cert("ca", "broken", "--subject", "CN=broken", "--alternative", "broken-second"))
    D.openssl("req", "-new", "-newkey", "ed25519", "-noenc", "-keyout", "forger.key", "-subj",
              "/CN=forger", "-addext", "subjectAltName=DNS:forged.example.org", "-out",
              "forger.csr")
    D.openssl("x509", "-req", "-in", "forger.csr", "-CA", root, "-CAkey", "broken.key", "-days",
              "30", "-copy_extensions", "copy", "-out", "forged.pem")
    D.openssl("verify", "-CAfile", root, "forged.pem")
    cert("verify", "forged.pem", "--root", root, "--require-alternative", code=1)
    # with a second signature that was made for another certificate
    cert("issue", "broken", "--csr", request(), "--profile", "server", "--out", "honest.pem")
    honest = D.openssl("x509", "-in", "honest.pem", "-outform", "DER")
    value = bytes.fromhex("0603551d4a")
    at = honest.index(value) + len(value)
    size = int.from_bytes(honest[at + 2:at + 4], "big")
    D.write("ext", ("2.5.29.73=DER:300b0609608648016503040312\n2.5.29.74=DER:" +
                    honest[at + 4:at + 4 + size].hex() + "\n").encode())
    D.openssl("x509", "-req", "-in", "forger.csr", "-CA", root, "-CAkey", "broken.key", "-days",
              "30", "-extfile", "ext", "-out", "forged.pem")
    D.openssl("verify", "-CAfile", root, "forged.pem")
    _, messages = cert("verify", "forged.pem", "--root", root, code=1)
    assert "alternative signature" in messages, messages


def case_kill_after_revoking():
    request()
    for _ in range(5):
        cert("issue", "ca0", "--csr", "request.pem", "--profile", "server")
        serial = next(r["serial"] for r in issued("ca0") if r["state"] == "valid")
        cert("revoke", "ca0", serial)
        D.kill()
        D.start()
        assert next(r for r in issued("ca0") if r["serial"] == serial)["state"] != "valid"
    D.write("crl.pem", cert("crl", "ca0"))
    text = D.openssl("crl", "-in", "crl.pem", "-noout", "-text").decode()
    assert text.count("Serial Number:") == sum(r["state"] != "valid" for r in issued("ca0"))


def case_numbers_of_lists_rise():
    def number():
        cert("crl", "ca0", "--out", "crl.pem")
        return int(D.openssl("crl", "-in", "crl.pem", "-noout", "-crlnumber").split(b"=")[1], 16)
    before = number()
    D.kill()
    D.start()
    assert number() == before + 1


if __name__ == "__main__":
    sys.exit(tap.run())
