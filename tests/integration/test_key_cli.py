# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian key` with the real service, and OpenSSL as second opinion. Prints TAP."""
import atexit
import json
import os
import stat
import sys

sys.path.insert(0, os.path.join(os.environ.get("VD_SOURCE_ROOT", "."), "tests", "support"))
import tap  # noqa: E402
from keyd import Keyd  # noqa: E402

D = Keyd()
atexit.register(D.done)
SMALL = D.write("small", bytes(range(250)))
BIG = D.write("big", os.urandom(3 * 2**20 + 5))


def create(name, kind, *more):
    D.key("create", name, "--type", kind, *more)
    return name


def public(name):
    D.key("show", name, "--public", "--out", "public.pem")
    return "public.pem"


def mode(name):
    return stat.S_IMODE(os.stat(D.path(name)).st_mode)


def case_create_list_show():
    identity = D.key("create", "web/one", "--type", "ed25519", "--usage", "sign,verify",
                     "--expires", "+30d", "--non-exportable", "--limit", "100").decode().strip()
    info = json.loads(D.key("show", "web/one", "--json"))
    assert info["id"] == identity and info["type"] == "ed25519" and not info["exportable"]
    assert info["usages"] == ["sign", "verify"] and info["usage_limit"] == 100
    assert len(info["versions"]) == 1 and info["not_after"] > info["created"]
    assert json.loads(D.key("show", "id:" + identity, "--json"))["name"] == "web/one"
    create("web/two", "aes-256-gcm")
    create("zzz", "hmac-sha256")
    assert [k["name"] for k in json.loads(D.key("list", "web/", "--json"))] == ["web/one",
                                                                                "web/two"]
    assert b"zzz" in D.key("list")
    made = json.loads(D.key("create", "web/three", "--type", "x25519", "--json"))
    assert made["name"] == "web/three" and made["newest_version"] == 1


def case_wrong_calls():
    for args, text in ((["show", "web/oen"], "did you mean 'web/one'"),
                       (["create", "a b", "--type", "ed25519"], "is no name"),
                       (["create", "x", "--type", "ed25518"], "did you mean 'ed25519'"),
                       (["create", "x", "--type", "ed25519", "--usage", "sing"],
                        "did you mean 'sign'"),
                       (["create", "x", "--type", "ed25519", "--expires", "2027-02-30"],
                        "is no time"),
                       (["create", "x", "--type", "ed25519", "--expires", "+3q"], "is no time"),
                       (["create", "web/one", "--type", "ed25519"], "web/one"),
                       (["encrypt", "web/two", "--in", "missing"], "missing"),
                       (["destroy", "web/two", "--grace", "0"], "--yes"),
                       (["set", "web/two"], "nothing is to be changed"),
                       (["sign", "web/one", "--mechanism", "hmca"], "did you mean 'hmac'")):
        _, messages = D.key(*args, code=2)
        assert text in messages, (args, messages)


def case_names_that_there_are():
    for args, text in ((["create", "x", "--type", "elliptic"], "one of aes-256-gcm, "),
                       (["create", "x", "--type", "ed25519", "--usage", "everything"], "one of encrypt, "),
                       (["sign", "web/one", "--mechanism", "something-else"], "one of ")):
        _, messages = D.key(*args, code=2)
        assert text in messages, (args, messages)


def case_a_version_is_no_question_for_the_programs():
    """--version N of a key, where the command has that option."""
    create("versions", "ecdsa-p256")
    first = D.key("show", "versions", "--public")
    D.key("rotate", "versions")
    assert D.key("show", "versions", "--public") != first
    assert D.key("show", "versions", "--public", "--version", "1") == first
    D.key("destroy", "versions", "--version", "1", "--grace", "0", "--yes")
    versions = json.loads(D.key("show", "versions", "--json"))["versions"]
    assert [v["destroyed"] for v in versions] == [True, False], versions
    assert b"print the version" not in D.key("show", "--help")
    assert D.key("list", "--version").startswith(b"veridian ")


def case_times_show_in_the_state():
    create("late", "ed25519", "--expires", "2020-01-01")
    create("early", "ed25519", "--not-before", "+1d")
    assert b"expired" in D.key("list", "late") and b"not yet" in D.key("list", "early")
    assert b"expired" in D.key("show", "late") and b"not yet" in D.key("show", "early")
    assert b"expired" not in D.key("list", "early")


def case_usage_missing():
    _, messages = D.key("create", "x", "--type", "aes-256-gcm", "--usage", "sign", code=1)
    assert "not for sign" in messages, messages
    create("verify-only", "ed25519", "--usage", "verify")
    _, messages = D.key("sign", "verify-only", "--in", SMALL, "--signature", "nosig", code=1)
    assert "'sign' is missing" in messages, messages
    assert not os.path.exists(D.path("nosig"))


def case_encrypt_sizes():
    for kind in ("aes-256-gcm", "chacha20-poly1305"):
        name = create("e/" + kind, kind)
        D.write("aad", b"for this")
        for size in (0, 1, 2**20 - 1, 2**20, 2**20 + 1, 3 * 2**20 + 5):
            data = D.read("big")[:size]
            D.write("plain", data)
            D.key("encrypt", name, "--in", "plain", "--out", "cipher", "--aad", "aad")
            D.key("decrypt", name, "--in", "cipher", "--out", "back", "--aad", "aad")
            assert D.read("back") == data and mode("back") == 0o600
            assert D.key("decrypt", name, "--aad", "aad", data=D.read("cipher")) == data
            os.remove(D.path("back"))
            D.key("decrypt", name, "--in", "cipher", "--out", "back", code=1)
            assert not os.path.exists(D.path("back"))


def case_changed_ciphertext_leaves_nothing():
    D.key("encrypt", "e/aes-256-gcm", "--in", BIG, "--out", "cipher")
    whole = D.read("cipher")
    for what, text in (("flipped", whole[:-5] + bytes([whole[-5] ^ 1]) + whole[-4:]),
                       ("cut", whole[:-2**20]), ("cut at a chunk", whole[:48 + 2**20 + 16]),
                       ("longer", whole + b"x"),
                       ("swapped", whole[:48] + whole[48 + 2**20 + 16:48 + 2 * (2**20 + 16)] +
                        whole[48:48 + 2**20 + 16] + whole[48 + 2 * (2**20 + 16):])):
        D.write("changed", text)
        D.key("decrypt", "e/aes-256-gcm", "--in", "changed", "--out", "back", code=1)
        assert not os.path.exists(D.path("back")), what
    assert not [f for f in os.listdir(D.dir) if f.startswith(".veridian")]


def case_signatures_hold_for_openssl():
    for kind, mechanism, check in (
            ("rsa-4096", "rsa-pss-sha256", ["-sigopt", "rsa_padding_mode:pss", "-sigopt",
                                            "rsa_pss_saltlen:32"]),
            ("rsa-4096", "rsa-pkcs1-sha256", []), ("ecdsa-p256", "ecdsa-sha256", []),
            ("ed25519", "eddsa", None), ("ml-dsa-65", "ml-dsa", None)):
        name = f"s/{kind}"
        if D.key("list", name) .count(b"\n") == 1:
            create(name, kind)
        pem = public(name)
        for data in (SMALL, BIG):
            D.key("sign", name, "--mechanism", mechanism, "--in", data, "--signature", "sig")
            assert D.key("verify", name, "--mechanism", mechanism, "--in", data, "--signature",
                         "sig") == b"verified\n"
            other = BIG if data == SMALL else SMALL
            D.key("verify", name, "--mechanism", mechanism, "--in", other, "--signature", "sig",
                  code=1)
            if check is None:
                good = D.openssl("pkeyutl", "-verify", "-pubin", "-inkey", pem, "-rawin", "-in",
                                 data, "-sigfile", "sig")
                D.openssl("pkeyutl", "-verify", "-pubin", "-inkey", pem, "-rawin", "-in", other,
                          "-sigfile", "sig", code=1)
            else:
                good = D.openssl("dgst", "-sha256", "-verify", pem, *check, "-signature", "sig",
                                 data)
                D.openssl("dgst", "-sha256", "-verify", pem, *check, "-signature", "sig", other,
                          code=1)
            assert b"Verified" in good or b"Success" in good


def case_ml_dsa_context():
    D.write("context", b"firmware")
    for data in (SMALL, BIG):
        D.key("sign", "s/ml-dsa-65", "--context", "context", "--in", data, "--signature", "sig")
        D.openssl("pkeyutl", "-verify", "-pubin", "-inkey", public("s/ml-dsa-65"), "-rawin", "-in",
                  data, "-sigfile", "sig", "-pkeyopt", "context-string:firmware")
        D.key("verify", "s/ml-dsa-65", "--in", data, "--signature", "sig", code=1)


def case_hmac():
    create("mac", "hmac-sha256")
    D.key("sign", "mac", "--in", SMALL, "--signature", "tag")
    assert len(D.read("tag")) == 32
    D.key("verify", "mac", "--in", SMALL, "--signature", "tag")
    D.key("verify", "mac", "--in", BIG, "--signature", "tag", code=1)


def case_oaep_from_openssl():
    create("oaep", "rsa-4096", "--usage", "encrypt,decrypt")
    D.openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", public("oaep"), "-in", SMALL, "-out", "c",
              "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt",
              "rsa_mgf1_md:sha256")
    assert D.key("decrypt", "oaep", "--in", "c") == D.read(SMALL)
    D.key("encrypt", "oaep", "--in", SMALL, "--out", "c")
    assert D.key("decrypt", "oaep", "--in", "c") == D.read(SMALL)
    _, messages = D.key("encrypt", "oaep", "--in", BIG, "--out", "c2", code=2)
    assert "446" in messages and not os.path.exists(D.path("c2"))


def case_ecdh_with_openssl():
    for kind, algorithm in (("x25519", ["-algorithm", "X25519"]),
                            ("ecdsa-p256", ["-algorithm", "EC", "-pkeyopt",
                                            "ec_paramgen_curve:P-256"])):
        name = create("dh/" + kind, kind, "--usage", "derive")
        D.openssl("genpkey", *algorithm, "-out", "other.key")
        D.openssl("pkey", "-in", "other.key", "-pubout", "-out", "other.pem")
        D.openssl("pkeyutl", "-derive", "-inkey", "other.key", "-peerkey", public(name), "-out",
                  "theirs")
        D.key("derive", name, "--peer", "other.pem", "--out", "ours")
        assert D.read("ours") == D.read("theirs") and mode("ours") == 0o600
        D.write("salt", b"salt")
        D.write("info", b"info")
        D.key("derive", name, "--peer", "other.pem", "--length", "48", "--salt", "salt", "--info",
              "info", "--out", "long")
        theirs = D.openssl("kdf", "-keylen", "48", "-binary", "-kdfopt", "digest:SHA256",
                           "-kdfopt", "hexkey:" + D.read("theirs").hex(), "-kdfopt", "salt:salt",
                           "-kdfopt", "info:info", "HKDF")
        assert D.read("long") == theirs


def case_encapsulation_with_openssl():
    create("kem", "ml-kem-768")
    D.openssl("pkeyutl", "-encap", "-pubin", "-inkey", public("kem"), "-secret", "theirs", "-out",
              "ct")
    D.key("decapsulate", "kem", "--in", "ct", "--out", "ours")
    assert D.read("ours") == D.read("theirs") and mode("ours") == 0o600
    D.openssl("genpkey", "-algorithm", "ML-KEM-768", "-out", "kem.key")
    D.openssl("pkey", "-in", "kem.key", "-pubout", "-out", "kem.pem")
    D.key("import", "their-kem", "--type", "ml-kem-768", "--in", "kem.pem")
    D.key("encapsulate", "their-kem", "--secret", "ours", "--out", "ct")
    D.openssl("pkeyutl", "-decap", "-inkey", "kem.key", "-in", "ct", "-secret", "theirs")
    assert D.read("ours") == D.read("theirs")
    create("wing", "x-wing")
    D.key("encapsulate", "wing", "--secret", "one", "--out", "ct")
    D.key("decapsulate", "wing", "--in", "ct", "--out", "two")
    assert D.read("one") == D.read("two")


def case_import_from_openssl():
    for kind, algorithm in (("ed25519", ["-algorithm", "ED25519"]),
                            ("ml-dsa-65", ["-algorithm", "ML-DSA-65"]),
                            ("ecdsa-p256", ["-algorithm", "EC", "-pkeyopt",
                                            "ec_paramgen_curve:P-256"])):
        D.openssl("genpkey", *algorithm, "-out", "their.key")
        D.openssl("pkey", "-in", "their.key", "-pubout", "-out", "their.pem")
        D.key("import", "i/" + kind, "--type", kind, "--in", "their.key")
        assert D.read(public("i/" + kind)) == D.read("their.pem")
        _, messages = D.key("import", "i/no", "--type", "rsa-4096", "--in", "their.key", code=2)
        assert messages
    D.write("raw", bytes(32))
    D.key("import", "i/aes", "--type", "aes-256-gcm", "--in", "raw")
    D.key("import", "i/short", "--type", "aes-256-gcm", "--in", SMALL, code=2)


def case_wrap():
    create("wrapper", "aes-256-gcm", "--usage", "wrap,unwrap")
    create("goes", "ed25519")
    create("stays", "ed25519", "--non-exportable")
    D.key("wrap", "wrapper", "goes", "--out", "blob")
    D.key("unwrap", "wrapper", "came", "--type", "ed25519", "--in", "blob")
    before = D.read(public("goes"))
    assert D.read(public("came")) == before
    D.key("wrap", "wrapper", "stays", "--out", "blob2", code=1)
    assert not os.path.exists(D.path("blob2"))
    D.write("blob", D.read("blob")[:-1] + b"\0")
    _, messages = D.key("unwrap", "wrapper", "came2", "--type", "ed25519", "--in", "blob", code=1)
    assert messages


def case_rotate_and_rewrap():
    D.key("encrypt", "e/aes-256-gcm", "--in", SMALL, "--out", "old")
    assert D.key("rotate", "e/aes-256-gcm") == b"version 2\n"
    assert D.key("decrypt", "e/aes-256-gcm", "--in", "old") == D.read(SMALL)
    D.key("rewrap", "e/aes-256-gcm", "--in", "old", "--out", "new")
    D.key("set", "e/aes-256-gcm", "--min-decrypt", "2")
    D.key("decrypt", "e/aes-256-gcm", "--in", "old", code=1)
    assert D.key("decrypt", "e/aes-256-gcm", "--in", "new") == D.read(SMALL)


def case_destroy_and_restore():
    create("gone", "aes-256-gcm")
    told = D.key("destroy", "gone").decode()
    assert "restore gone" in told and "T" in told and "Z" in told
    D.key("encrypt", "gone", "--in", SMALL, "--out", "x", code=1)
    D.key("restore", "gone")
    D.key("encrypt", "gone", "--in", SMALL, "--out", "x")
    D.key("destroy", "gone", "--grace", "0", "--yes")
    assert json.loads(D.key("show", "gone", "--json"))["state"] == "destroyed"
    _, messages = D.key("restore", "gone", code=1)
    assert messages


def case_outputs_are_whole():
    D.write("kept", b"before")
    D.key("decrypt", "e/aes-256-gcm", "--in", SMALL, "--out", "kept", code=2)
    assert D.read("kept") == b"before"
    D.key("encrypt", "e/aes-256-gcm", "--in", SMALL, "--out", "no/such/directory", code=2)


def case_kill_and_restart():
    D.kill()
    _, messages = D.key("list", code=3)
    assert "veridian-cryptod" in messages
    D.start()
    assert D.key("decrypt", "e/aes-256-gcm", "--in", "new") == D.read(SMALL)
    counts = json.loads(D.key("status", "--json"))
    assert counts["keys"] >= 10 and counts["access decided by the policy"] == 0


if __name__ == "__main__":
    sys.exit(tap.run())
