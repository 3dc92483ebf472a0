# SPDX-License-Identifier: MIT OR Apache-2.0
"""The web interface of the key service: every endpoint by curl and by sockets, wrong and hostile
requests, and a front process that ends or lies. Prints TAP."""
import atexit
import base64
import hashlib
import hmac
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.environ.get("VD_SOURCE_ROOT", "."), "tests", "support"))
import tap  # noqa: E402
from keyd import BUILD, CRYPTOD, Keyd  # noqa: E402

TIMEOUT = 2  # seconds that a request may take to come, in these tests
D = Keyd("--rest", "@/rest.sock", "--rest-timeout", str(TIMEOUT),
         "--credentials", "@/cred.sock")
atexit.register(D.done)


def b64(data):
    return base64.b64encode(data).decode()


def connect(where=None):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(60)
    s.connect(where or D.path("rest.sock"))
    return s


def request(method, path, body=None, head=""):
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    length = f"Content-Length: {len(data)}\r\n" if data else ""
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{length}{head}\r\n".encode() + data


class Reader:
    """Answers as they come on a connection."""

    def __init__(self, sock):
        self.sock, self.data = sock, b""

    def more(self):
        got = self.sock.recv(1 << 16)
        if not got:
            raise EOFError(self.data)
        self.data += got

    def answer(self):
        while b"\r\n\r\n" not in self.data:
            self.more()
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        size = int(fields.get(b"content-length", b"0"))
        while len(self.data) < size:
            self.more()
        body, self.data = self.data[:size], self.data[size:]
        is_json = fields.get(b"content-type") == b"application/json"
        return int(head.split()[1]), json.loads(body) if is_json and body else None


def ask(method, path, body=None, where=None):
    with connect(where) as s:
        s.sendall(request(method, path, body))
        return Reader(s).answer()


def post(path, body=None, code=200):
    got, answer = ask("POST", "/v1/transit/" + path, {} if body is None else body)
    assert got == code, (path, str(body)[:200], got, answer)
    return answer["data"] if code == 200 else answer


def refused(path, body, text, code=400):
    errors = post(path, body, code)["errors"]
    assert len(errors) == 1 and text in errors[0], errors


def key(name, kind="aes256-gcm96", **more):
    return post("keys/" + name, {"type": kind, **more})


def curl(*args):
    ran = subprocess.run(["curl", "-s", "-m", "60", "--unix-socket", D.path("rest.sock"), *args],
                         capture_output=True, check=True)
    return ran.stdout


def case_keys():
    data = key("one")
    assert data["name"] == "one" and data["type"] == "aes256-gcm96" and not data["exportable"]
    assert list(data["keys"]) == ["1"] and abs(data["keys"]["1"] - time.time()) < 60
    assert data["supports_encryption"] and not data["supports_signing"]
    code, answer = ask("POST", "/v1/transit/keys/one", {"type": "aes256-gcm96"})
    assert code == 200 and "existed already" in answer["warnings"][0]
    refused("keys/one", {"type": "ed25519"}, "of another type")
    assert ask("GET", "/v1/transit/keys/one")[1]["data"]["latest_version"] == 1
    assert ask("GET", "/v1/transit/keys/none") == (404, {"errors": []})
    assert ask("LIST", "/v1/transit/keys")[1]["data"]["keys"] == ["one"]
    assert ask("GET", "/v1/transit/keys/?list=true")[1]["data"]["keys"] == ["one"]
    key("a%2Fb")
    assert json.loads(D.key("show", "a/b", "--json"))["name"] == "a/b"
    for field in ("derived", "convergent_encryption", "allow_plaintext_backup"):
        refused("keys/x", {field: True}, f"{field}: not supported")
    refused("keys/x", {"type": "aes128-gcm96"}, "type: expected aes256-gcm96")
    assert ask("GET", "/v1/transit/keys/x")[0] == 404


def case_encrypt_and_decrypt():
    for name, kind in (("e1", "aes256-gcm96"), ("e2", "chacha20-poly1305"), ("e3", "rsa-4096")):
        key(name, kind)
        sizes = (0, 1, 17, 446) if kind == "rsa-4096" else (0, 1, 17, 100_000, 3_000_000)
        for size in sizes:
            text = os.urandom(size)
            made = post(f"encrypt/{name}", {"plaintext": b64(text), "associated_data": "YWFk"})
            assert made["ciphertext"].startswith("vault:v1:") and made["key_version"] == 1
            got = post(f"decrypt/{name}",
                       {"ciphertext": made["ciphertext"], "associated_data": "YWFk"})
            assert got == {"plaintext": b64(text)}
            refused(f"decrypt/{name}", {"ciphertext": made["ciphertext"]}, "")
    made = post("encrypt/e1", {"plaintext": b64(b"of the command")})["ciphertext"]
    D.write("text", base64.b64decode(made.split(":")[2]))
    assert D.key("decrypt", "e1", "--in", "text", "--out", "-") == b"of the command"


def case_versions_and_rewrap():
    key("v")
    old = post("encrypt/v", {"plaintext": b64(b"x")})["ciphertext"]
    assert post("keys/v/rotate")["latest_version"] == 2
    assert post("encrypt/v", {"plaintext": "", "key_version": 1})["key_version"] == 1
    new = post("rewrap/v", {"ciphertext": old})
    assert new["ciphertext"].startswith("vault:v2:") and new["key_version"] == 2
    assert post("decrypt/v", new)["plaintext"] == b64(b"x")
    refused("decrypt/v", {"ciphertext": old.replace("v1", "v2")}, "version 1, not of 2")
    assert post("keys/v/config", {"min_decryption_version": "2"})["min_decryption_version"] == 2
    refused("decrypt/v", {"ciphertext": old}, "version 1")
    assert list(ask("GET", "/v1/transit/keys/v")[1]["data"]["keys"]) == ["2"]


def case_deletion_with_grace():
    key("d")
    code, answer = ask("DELETE", "/v1/transit/keys/d")
    assert code == 400 and "deletion is not allowed" in answer["errors"][0]
    assert post("keys/d/config", {"deletion_allowed": True})["deletion_allowed"]
    assert ask("DELETE", "/v1/transit/keys/d") == (204, None)
    refused("encrypt/d", {"plaintext": ""}, "destroyed")
    D.key("restore", "d")
    post("encrypt/d", {"plaintext": ""})


def openssl_verifies(name, public, signature, message, *options):
    D.write(name + ".pem", public.encode())
    D.write(name + ".sig", base64.b64decode(signature.split(":")[2]))
    D.write(name + ".msg", message)
    D.openssl("pkeyutl", "-verify", "-pubin", "-inkey", name + ".pem", "-rawin", "-in",
              name + ".msg", "-sigfile", name + ".sig", *options)


def case_sign_and_verify():
    message = b"to be signed"
    digest = b64(hashlib.sha256(message).digest())
    pss = ("-digest", "sha256", "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt",
           "rsa_pss_saltlen:32")
    for kind, more, options in (
            ("ed25519", {}, None),
            ("ecdsa-p256", {}, ("-digest", "sha256")),
            ("rsa-4096", {}, pss),
            ("rsa-4096", {"signature_algorithm": "pkcs1v15"}, ("-digest", "sha256")),
            ("ml-dsa", {}, ())):
        public = key("s-" + kind, kind)["keys"]["1"]["public_key"]
        made = post("sign/s-" + kind, {"input": b64(message), **more})
        assert made["key_version"] == 1
        if options is not None:
            openssl_verifies(kind, public, made["signature"], message, *options)
        check = {"input": b64(message), "signature": made["signature"], **more}
        assert post("verify/s-" + kind, check) == {"valid": True}
        assert post("verify/s-" + kind, {**check, "input": b64(b"other")}) == {"valid": False}
        if kind in ("ecdsa-p256", "rsa-4096"):
            whole = {"input": digest, "prehashed": True, **more}
            again = post("sign/s-" + kind + "/sha2-256", whole)["signature"]
            assert post("verify/s-" + kind, {**check, "signature": again}) == {"valid": True}
        else:
            refused("sign/s-" + kind, {"input": digest, "prehashed": True}, "whole messages")
    made = post("sign/s-ecdsa-p256", {"input": digest, "marshaling_algorithm": "jws"})["signature"]
    raw = made.split(":")[2]
    assert len(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4))) == 64
    check = {"input": digest, "signature": made, "marshaling_algorithm": "jws"}
    assert post("verify/s-ecdsa-p256", check) == {"valid": True}
    refused("sign/s-ed25519/sha2-512", {"input": ""}, "expected sha2-256")
    made = post("sign/s-ml-dsa", {"input": digest, "signature_context": "YQ=="})["signature"]
    check = {"input": digest, "signature": made}
    assert post("verify/s-ml-dsa", check) == {"valid": False}
    assert post("verify/s-ml-dsa", {**check, "signature_context": "YQ=="}) == {"valid": True}


def case_hmac():
    key("h", "hmac")
    one = post("hmac/h", {"input": b64(b"m")})["hmac"]
    assert one == post("hmac/h/sha2-256", {"input": b64(b"m")})["hmac"]
    assert len(base64.b64decode(one.split(":")[2])) == hmac.new(b"", b"", "sha256").digest_size
    assert post("verify/h", {"input": b64(b"m"), "hmac": one}) == {"valid": True}
    assert post("verify/h", {"input": b64(b"n"), "hmac": one}) == {"valid": False}
    refused("verify/h", {"input": "", "signature": one}, "makes HMACs")
    refused("hmac/one", {"input": ""}, "only a key of type hmac")


def case_random_and_datakey():
    one, two = (post("random/24")["random_bytes"] for _ in range(2))
    assert len(base64.b64decode(one)) == 24 and one != two
    assert len(post("random/platform/7", {"format": "hex"})["random_bytes"]) == 14
    assert len(base64.b64decode(post("random", {"bytes": 32768})["random_bytes"])) == 32768
    refused("random/32769", {}, "1 to 32768")
    made = post("datakey/plaintext/one", {"bits": 512})
    assert len(base64.b64decode(made["plaintext"])) == 64
    assert post("decrypt/one", made)["plaintext"] == made["plaintext"]
    assert "plaintext" not in post("datakey/wrapped/one")


def case_keys_leave_only_wrapped():
    key("out", exportable=True)
    D.key("create", "wrapping", "--type", "aes-256-gcm", "--usage", "wrap,unwrap")
    code, answer = ask("GET", "/v1/transit/byok-export/wrapping/out")
    assert code == 200 and answer["data"]["keys"]["1"], answer
    assert ask("GET", "/v1/transit/byok-export/wrapping/one")[0] == 403
    for path in ("export/encryption-key/out", "backup/out"):
        code, answer = ask("GET", "/v1/transit/" + path)
        assert code == 403 and "only wrapped" in answer["errors"][0]


def case_batches():
    texts = [os.urandom(n) for n in range(700)]
    made = post("encrypt/one", {"batch_input": [
        {"plaintext": b64(t), "reference": f"r{i}"} for i, t in enumerate(texts)]})
    results = made["batch_results"]
    assert [r["reference"] for r in results] == [f"r{i}" for i in range(700)]
    got = post("decrypt/one", {"batch_input": results})["batch_results"]
    assert [base64.b64decode(r["plaintext"]) for r in got] == texts
    got = post("rewrap/one", {"batch_input": results[:3]})["batch_results"]
    assert [r["key_version"] for r in got] == [1, 1, 1]
    items = [{"input": b64(t)} for t in texts[:60]]
    for name in ("s-ml-dsa", "s-ed25519"):
        signed = post("sign/" + name, {"batch_input": items})["batch_results"]
        checks = [{**i, "signature": s["signature"]} for i, s in zip(items, signed)]
        checks[5]["input"] = b64(b"other")
        del checks[7]["signature"]
        valid = post("verify/" + name, {"batch_input": checks})["batch_results"]
        assert [i for i, v in enumerate(valid) if not v.get("valid")] == [5, 7]
        assert "batch_input[7]: expected one of" in valid[7]["error"] and "valid" not in valid[7]
    # An item's failure is the item's, told by the code as Vault does.
    bad = {"batch_input": [results[0], {"ciphertext": "vault:v1:AAAA"}, {"ciphertext": 1}]}
    code, answer = ask("POST", "/v1/transit/decrypt/one", bad)
    got = answer["data"]["batch_results"]
    assert code == 400 and "plaintext" in got[0] and all("error" in g for g in got[1:])
    code, answer = ask("POST", "/v1/transit/decrypt/one",
                       {**bad, "partial_failure_response_code": 207})
    assert code == 207 and answer["data"]["batch_results"] == got


def case_wrong_requests_are_told_where():
    table = (
        (b"{", "line 1, column 1"), (b'{"plaintext": }', "line 1, column 15"),
        (b'{\n"plaintext":"", "plaintext":""}', "line 2"), (b"[]", "an object is expected"),
        (b'{"plaintext":"a\\u0000"}', "line 1"), (b'{"plaintext":"\xff"}', "line 1"),
        (b'{"x":' + b"[" * 9 + b"]" * 9 + b"}", "byte 12: more than 8"),
        (b'{"x":[' + b"1," * 20000 + b"1]}", "more than 16384 values"),
        ({"plaintext": 5}, "plaintext: expected a text in base64"),
        ({"plaintext": "aGVs*G8="}, "plaintext: letter 5"), ({"plaintext": "YQ"}, "plaintext"),
        ({"plaintext": "YR=="}, "plaintext: letter 3"), ({}, "plaintext: missing"),
        ({"plaintext": "", "key_version": -1}, "key_version: expected a number"),
        ({"plaintext": "", "key_version": 77}, "77"),
        ({"plaintext": "", "nonce": "AAAA"}, "nonce: not supported"),
        ({"plaintext": "", "context": "AAAA"}, "context: not supported"),
        ({"batch_input": {}}, "batch_input: expected an array"), ({"batch_input": []}, "1 to 1024"),
        ({"batch_input": [{"plaintext": ""}] * 1025}, "1 to 1024"),
    )
    for body, text in table:
        refused("encrypt/one", body, text)
    for body, text in (({"ciphertext": "x"}, "begins with vault:v"),
                       ({"ciphertext": "vault:v0:AAAA"}, "version from 1"),
                       ({"ciphertext": "vault:v1"}, "a colon"),
                       ({"ciphertext": "vault:v1:AAAA"}, "")):
        refused("decrypt/one", body, text)
    refused("encrypt/none", {"plaintext": ""}, "none")
    for path, code in (("/", 404), ("/v1/", 404), ("/v1/transit/keys//rotate", 404),
                       ("/v1/transit/keys/%zz", 400), ("/v1/transit/keys/a%00b", 400),
                       ("/v1/transit/keys/a%20b", 400), ("/v1/transit/keys/" + "a" * 129, 400),
                       ("/v1/transit/" + "a/" * 600, 400), ("/v1/secret/data/x", 404)):
        got = ask("GET", path)
        assert got[0] == code and got[1]["errors"], (path, got)
    assert ask("PATCH", "/v1/transit/keys/one")[0] == 405


def case_curl_and_keep_alive():
    D.write("body", json.dumps({"plaintext": b64(b"curl")}).encode())
    url = "http://localhost/v1/transit/encrypt/one"
    out = curl("-H", "X-Vault-Token: any", "--json", "@" + D.path("body"), url, url)
    assert out.count(b"vault:v1:") == 2
    assert json.loads(curl("http://localhost/v1/sys/health"))["sealed"] is False
    assert b"200" in curl("-I", "http://localhost/v1/sys/health")
    # Body in pieces of unknown length, announced first.
    out = curl("-H", "Transfer-Encoding: chunked", "-H", "Expect: 100-continue", "-d",
               "@" + D.path("body"), url)
    assert b"vault:v1:" in out
    with connect() as s:
        reader = Reader(s)
        s.sendall(request("GET", "/v1/sys/health") * 20)
        assert [reader.answer()[0] for _ in range(20)] == [200] * 20
        s.shutdown(socket.SHUT_WR)
        assert s.recv(1) == b""
    with connect() as s:  # closed for writing before the answer
        s.sendall(request("POST", "/v1/transit/encrypt/one", {"plaintext": "YQ=="}))
        s.shutdown(socket.SHUT_WR)
        assert Reader(s).answer()[0] == 200


def case_two_readers_cannot_disagree():
    body = b'{"plaintext":""}'
    for head in ("Content-Length: 16\r\nContent-Length: 16\r\n",
                 "Content-Length: 16\r\nContent-Length: 3\r\n",
                 "Content-Length: 16\r\nTransfer-Encoding: chunked\r\n",
                 "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
                 "Content-Length: +16\r\n", "Content-Length: 0x10\r\n", "Content-Length: -1\r\n",
                 "Content-Length: 16\r\nHost: other\r\n"):
        with connect() as s:
            first = "POST /v1/transit/encrypt/one HTTP/1.1\r\nHost: x\r\n" + head + "\r\n"
            s.sendall(first.encode() + body + request("GET", "/v1/sys/health"))
            got = b""
            while more := s.recv(1 << 16):
                got += more
            codes = [line.split()[1] for line in got.split(b"\r\n") if line.startswith(b"HTTP/")]
            assert all(code[:1] == b"4" for code in codes), (head, got)
            assert b"vault:v1" not in got and b"initialized" not in got, (head, got)


def case_huge_and_slow():
    for head, code in (("Content-Length: 8388609\r\n", 413),
                       ("Content-Length: 99999999999999999999\r\n", 413)):
        with connect() as s:
            s.sendall(f"POST /v1/transit/encrypt/one HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode())
            try:
                assert Reader(s).answer()[0] == code
            except EOFError as got:
                assert b"413" in got.args[0] or b"400" in got.args[0], head
    with connect() as s:  # longer than it says at first
        s.sendall(b"POST /v1/transit/encrypt/one HTTP/1.1\r\nHost: x\r\n"
                  b"Transfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(10):
                s.sendall(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
            s.sendall(b"0\r\n\r\n")
            assert Reader(s).answer()[0] == 413
        except (BrokenPipeError, ConnectionResetError):
            pass
    with connect() as s:  # headers without end
        try:
            for _ in range(100):
                s.sendall(b"GET /v1/sys/health HTTP/1.1\r\n" + b"X: " + b"a" * 1000 + b"\r\n" * 1)
            while s.recv(1 << 16):
                pass
        except (BrokenPipeError, ConnectionResetError):
            pass
    # A drip of letters, faster than the idle timeout, does not keep a connection for ever.
    begun = time.monotonic()
    with connect() as s:
        s.settimeout(TIMEOUT / 4)
        s.sendall(b"GET /v1/sys/health HTTP/1.1\r\n")
        ended = False
        while not ended and time.monotonic() - begun < 60:
            try:
                s.sendall(b"X-Drip: 1\r\n")
                ended = s.recv(1 << 16) == b""
            except TimeoutError:
                pass
            except (BrokenPipeError, ConnectionResetError):
                ended = True
        assert ended
    assert ask("GET", "/v1/sys/health")[0] == 200


def case_mutated_requests():
    rng = random.Random(7)
    good = [request("POST", "/v1/transit/encrypt/one", {"plaintext": b64(b"text")}),
            request("POST", "/v1/transit/sign/s-ed25519", {"batch_input": [{"input": "YQ=="}] * 3}),
            request("GET", "/v1/transit/keys/one"), request("LIST", "/v1/transit/keys"),
            request("POST", "/v1/transit/datakey/plaintext/one", {"bits": 256})]
    before = front_pid()
    for _ in range(1000):
        data = bytearray(rng.choice(good))
        for _ in range(rng.randrange(1, 6)):
            at, how = rng.randrange(len(data)), rng.randrange(4)
            if how == 0:
                data[at] = rng.randrange(256)
            elif how == 1:
                del data[at:at + rng.randrange(8)]
            elif how == 2:
                data[at:at] = rng.choice([b"\r\n", b"\0", b"%", b'"', b"{", b"[", b",", b"9" * 9])
            else:
                data[at:at] = data[max(0, at - 20):at]
            if not data:
                data = bytearray(b"G")
        with connect() as s:
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                while s.recv(1 << 16):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass
    assert front_pid() == before
    assert ask("GET", "/v1/sys/health")[0] == 200


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(p) for p in f.read().split()]


def front_pid(daemon=None):
    """The front process: the only child of the daemon's only child."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for keeper in children((daemon or D).process.pid):
            for pid in children(keeper):
                return pid
        time.sleep(0.01)
    raise AssertionError("there is no front process")


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def case_confinement():
    fields = status_of(front_pid())
    assert int(fields["Seccomp"]) == 2 and int(fields["NoNewPrivs"]) == 1
    assert all(int(fields[c], 16) == 0 for c in ("CapEff", "CapPrm", "CapInh"))
    with open(f"/proc/{front_pid()}/limits", encoding="ascii") as f:
        core = [line.split() for line in f if line.startswith("Max core file size")][0]
    assert core[4] == "0" and core[5] == "0"
    if os.geteuid() == 0:
        links = []
        for number in os.listdir(f"/proc/{front_pid()}/fd"):
            try:
                links.append(os.readlink(f"/proc/{front_pid()}/fd/{number}"))
            except FileNotFoundError:
                pass  # of a connection that ended meanwhile
        assert len(links) > 3
        assert not any(D.path("store") in link for link in links), links


def case_front_killed():
    old = front_pid()
    with connect() as waiting:
        waiting.sendall(b"GET /v1/sys/")
        os.kill(old, signal.SIGKILL)
        try:
            assert waiting.recv(1) == b""
        except ConnectionResetError:
            pass
    assert D.key("show", "one")  # the key process goes on
    assert ask("GET", "/v1/sys/health")[0] == 200
    assert front_pid() != old


def case_a_front_that_lies_speaks_for_nobody_else():
    """The front's program is another one here: what a front that was taken over could do."""
    place = D.path("liar")
    os.mkdir(place)
    shutil.copy(CRYPTOD, place)
    shutil.copy(os.path.join(BUILD, "tests", "integration", "lying_front"), os.path.join(place, "veridian-cryptod-rest"))
    daemon = Keyd("--rest", "@/rest.sock", program=os.path.join(place, "veridian-cryptod"))
    try:
        daemon.key("create", "one", "--type", "aes-256-gcm")
        with connect(daemon.path("rest.sock")) as s:
            told = s.makefile("r")
            # While its client is there it can do what the client may.
            assert told.readline() == "encrypt OK\n"
            assert told.readline() == "adopt E_DENIED\n"
            assert told.readline() == "adopt-descriptor E_DENIED\n"
            told.close()
        notes = os.path.join(place, "veridian-cryptod-rest.notes")
        until = time.monotonic() + 60
        while not os.path.exists(notes) and time.monotonic() < until:
            time.sleep(0.01)
        with open(notes, encoding="ascii") as f:
            assert f.read() == "encrypt E_DENIED\n"
    finally:
        daemon.done()


def credential(address, where=None, uid=0):
    """What the service manager gets that connects from there; in a process of that user."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        got = b""
        try:
            os.setuid(uid)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
                if address is not None:
                    s.bind(address)
                s.connect(where or D.path("cred.sock"))
                while more := s.recv(1 << 16):
                    got += more
        except OSError as error:
            got = type(error).__name__.encode()
        with os.fdopen(writer, "wb") as f:
            f.write(got)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as f:
        got = f.read()
    os.waitpid(pid, 0)
    return got


def case_credentials():
    if os.geteuid() != 0:
        raise tap.Skip("only root's processes get credentials")
    D.key("create", "credentials", "--type", "aes-256-gcm")
    secret, tag = os.urandom(50_000), os.urandom(8).hex()
    D.write("secret", secret)
    D.key("credential", "set", "foo@1\\x2d.service", "cert", "--in", "secret")
    D.key("credential", "set", "bar.service", "cert", data=b"of bar")
    listed = json.loads(D.key("credential", "list", "--json"))
    assert sorted((c["unit"], c["credential"]) for c in listed) == [
        ("bar.service", "cert"), ("foo@1\\x2d.service", "cert")]
    assert credential(f"\0{tag}/unit/foo@1\\x2d.service/cert") == secret
    assert credential(f"\0{tag}/unit/bar.service/cert") == b"of bar"
    D.key("credential", "set", "bar.service", "cert", data=b"a newer one")
    assert credential(f"\0{tag}/unit/bar.service/cert") == b"a newer one"
    for address in (None, f"\0{tag}/unit/bar.service/key", f"\0{tag}/unit/baz.service/cert",
                    f"\0{tag}/unit/bar.service", f"\0{tag}/unit/bar.service/cert/",
                    f"\0/unit/bar.service/cert", f"\0{tag}x/unit/bar.service/cert",
                    f"\0{tag}/user/bar.service/cert", f"\0{tag}/unit//cert",
                    f"\0{tag}/unit/../cert", D.path("bound")):
        assert credential(address) == b"", address
    # The socket's mode keeps others out; without it the service does.
    good = f"\0{tag}/unit/bar.service/cert"
    assert credential(good, uid=65534) == b"PermissionError"
    os.chmod(D.dir, 0o711)
    os.chmod(D.path("cred.sock"), 0o666)
    assert credential(good, uid=65534) == b""
    assert credential(good) == b"a newer one"
    D.key("credential", "remove", "bar.service", "cert")
    assert credential(good) == b""
    D.key("credential", "remove", "bar.service", "cert", code=2)
    for store in os.listdir(D.path("store")):
        assert secret[:64] not in D.read(os.path.join("store", store))


if __name__ == "__main__":
    sys.exit(tap.run())
