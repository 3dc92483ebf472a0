# SPDX-License-Identifier: MIT OR Apache-2.0
"""`veridian key vectors`: every published file passes, a wrong vector fails, a damaged
or foreign file is an input error with its place. Prints TAP."""
import gzip
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(os.environ["VD_SOURCE_ROOT"])
sys.path.insert(0, str(ROOT / "tests" / "support"))
import tap  # noqa: E402

VERIDIAN = Path(os.environ["VD_BUILD_ROOT"]) / "bin" / "veridian"
WYCHEPROOF = Path(os.environ.get("VD_SHARED_DATA", "none")) / "wycheproof"
ACVP = ROOT / "tests" / "data" / "acvp"

# Tests that pass of each file; what else is in it is skipped, by name.
PASSED = {
    "aes_gcm_test.json": 68, "chacha20_poly1305_test.json": 325,
    "ecdsa_secp256r1_sha256_test.json": 484, "ed25519_test.json": 151,
    "hkdf_sha256_test.json": 86, "mldsa_65_verify_test.json": 210,
    "mlkem_768_keygen_seed_test.json": 100, "mlkem_768_test.json": 193,
    "rsa_pss_4096_sha256_mgf1_32_test.json": 108, "x25519_test.json": 518,
}
SETS = {"ML-KEM-keyGen-FIPS203": 10, "ML-KEM-encapDecap-FIPS203": 20, "ML-DSA-keyGen-FIPS204": 8,
        "ML-DSA-sigGen-FIPS204": 8, "ML-DSA-sigVer-FIPS204": 15}


def vectors(*args, code=0):
    done = subprocess.run([VERIDIAN, "key", "vectors", *map(str, args)], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
    return done


def counts(*args, code=0):
    answer = json.loads(vectors("--json", *args, code=code).stdout)
    return answer["passed"], answer["failed"], answer["skipped"]


def wycheproof(name):
    if not (WYCHEPROOF / name).exists():
        raise tap.Skip("the shared test data (../shared/data/wycheproof) are not here")
    return WYCHEPROOF / name


def acvp(name, kind):
    return json.loads(gzip.decompress((ACVP / f"{name}.{kind}.json.gz").read_bytes()))


def write(place, name, value):
    path = Path(place) / name
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def case_every_wycheproof_file_passes():
    wycheproof("aes_gcm_test.json")
    files = sorted(WYCHEPROOF.glob("*.json"))
    done = vectors(*files)
    assert " 0 failed, " in done.stdout.splitlines()[-1], done.stdout
    for line in done.stdout.splitlines():
        assert not line.startswith("skip") or line.endswith(": not served"), line
    for path in files:
        passed, failed, skipped = counts(path)
        total = json.loads(path.read_text(encoding="utf-8"))["numberOfTests"]
        assert failed == 0 and passed + skipped == total, path
        assert passed == PASSED.get(path.name, passed) and passed > 0, (path, passed)


def case_every_acvp_set_passes():
    with tempfile.TemporaryDirectory() as place:
        for name, number in SETS.items():
            prompt = write(place, "prompt.json", acvp(name, "prompt"))
            answers = write(place, "expectedResults.json", acvp(name, "expectedResults"))
            assert counts(prompt) == (number, 0, 0), name  # found beside it
            assert counts(prompt, answers) == (number, 0, 0), name
            other = Path(place) / "other.json"
            answers.rename(other)
            assert counts(other, prompt) == (number, 0, 0), name
            assert "expectedResults.json" in vectors(prompt, code=2).stderr
            assert "prompt.json" in vectors(other, code=2).stderr
            # questions and answers in one document, in the array that the protocol wraps it in
            whole = acvp(name, "prompt")
            for group, known in zip(whole["testGroups"], acvp(name, "expectedResults")["testGroups"]):
                for test, answer in zip(group["tests"], known["tests"]):
                    test.update(answer)
            write(place, "internalProjection.json", [{"acvVersion": "1.0"}, whole])
            assert counts(Path(place) / "internalProjection.json") == (number, 0, 0), name




def case_a_wrong_answer_fails():
    """The first bit of each answer changed: that test fails, and no other."""
    with tempfile.TemporaryDirectory() as place:
        for name, number in SETS.items():
            prompt = write(place, "prompt.json", acvp(name, "prompt"))
            answers = acvp(name, "expectedResults")
            test = answers["testGroups"][-1]["tests"][-1]
            for key in [k for k in test if k != "tcId"]:
                right = test[key]
                test[key] = not right if isinstance(right, bool) else \
                    f"{int(right[0], 16) ^ 8:x}" + right[1:]
                write(place, "expectedResults.json", answers)
                done = vectors(prompt, code=1)
                assert f"tcId {test['tcId']}: " in done.stdout, done.stdout
                assert counts(prompt, code=1) == (number - 1, 1, 0), (name, key)
                test[key] = right


def case_a_wrong_wycheproof_vector_fails():
    with tempfile.TemporaryDirectory() as place:
        for name in PASSED:
            document = json.loads(wycheproof(name).read_text(encoding="utf-8"))
            group = next(g for g in document["testGroups"]
                         if g.get("keySize", 256) in (256, 4096, 128, 176) and
                         any(t["result"] == "valid" for t in g["tests"]) and
                         (name != "aes_gcm_test.json" or (g["keySize"], g["ivSize"]) == (256, 96)))
            test = next(t for t in group["tests"] if t["result"] == "valid")
            document["testGroups"] = [dict(group, tests=[test])]
            path = write(place, "one.json", document)
            assert counts(path) == (1, 0, 0), name
            for key in ("ct", "tag", "sig", "okm", "shared", "dk", "K"):
                if len(test.get(key, "")) < 2:
                    continue
                right = test[key]
                test[key] = f"{int(right[0], 16) ^ 1:x}" + right[1:]
                write(place, "one.json", document)
                done = vectors(path, code=1)
                assert done.stdout.splitlines()[-1] == "0 passed, 1 failed, 0 skipped", done.stdout
                assert done.stdout.startswith("FAIL"), done.stdout
                test[key] = right
            test["result"] = "invalid"
            write(place, "one.json", document)
            assert counts(path, code=1) == (0, 1, 0), name


def case_ml_dsa_interfaces_of_acvp():
    """Wycheproof's signatures in ACVP's shape: the external interface with its context, and the
    internal one with mu computed here (FIPS 204, algorithm 7, line 6)."""
    def shake(*parts):
        return hashlib.shake_256(b"".join(parts)).digest(64)

    external, internal, number = [], [], 0
    document = json.loads(wycheproof("mldsa_65_verify_test.json").read_text(encoding="utf-8"))
    for group in document["testGroups"]:
        for test in group["tests"]:
            message, context = bytes.fromhex(test["msg"]), bytes.fromhex(test.get("ctx", ""))
            if len(context) > 255:
                continue
            number += 1
            row = {"tcId": number, "pk": group["publicKey"], "signature": test["sig"],
                   "testPassed": test["result"] == "valid", "context": context.hex()}
            mu = shake(shake(bytes.fromhex(group["publicKey"])), bytes([0, len(context)]), context,
                       message)
            external.append(dict(row, message=message.hex()))
            internal.append(dict(row, mu=mu.hex()))
    head = {"vsId": 1, "algorithm": "ML-DSA", "mode": "sigVer", "revision": "FIPS204"}
    common = {"testType": "AFT", "parameterSet": "ML-DSA-65"}
    with tempfile.TemporaryDirectory() as place:
        groups = [dict(common, tgId=1, signatureInterface="external", preHash="pure",
                       externalMu=False, tests=external),
                  dict(common, tgId=2, signatureInterface="internal", externalMu=True,
                       tests=internal),
                  dict(common, tgId=3, signatureInterface="external", preHash="preHash",
                       tests=external[:3])]
        path = write(place, "internalProjection.json", dict(head, testGroups=groups))
        assert counts(path) == (2 * number, 0, 3)
        assert "HashML-DSA-65" in vectors(path).stdout
        # a message taken for the other interface's does not verify
        groups[0]["signatureInterface"] = "internal"
        write(place, "internalProjection.json", dict(head, testGroups=groups[:1]))
        valid = sum(test["testPassed"] for test in external)
        assert counts(path, code=1) == (number - valid, valid, 0)


def case_public_keys_of_answers_stand_in_their_groups():
    """RFC 6979, A.2.5, in the shape of ACVP's sigGen: r and s a test, qx and qy a group."""
    head = {"vsId": 1, "algorithm": "ECDSA", "mode": "sigGen", "revision": "FIPS186-5"}
    prompt = dict(head, testGroups=[{
        "tgId": 1, "testType": "AFT", "curve": "P-256", "hashAlg": "SHA2-256",
        "componentTest": False, "tests": [{"tcId": 1, "message": b"sample".hex()}]}])
    answers = dict(head, testGroups=[{
        "tgId": 1, "qx": "60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6",
        "qy": "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299",
        "tests": [{"tcId": 1,
                   "r": "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
                   "s": "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"}]}])
    with tempfile.TemporaryDirectory() as place:
        path = write(place, "prompt.json", prompt)
        write(place, "expectedResults.json", answers)
        assert counts(path) == (1, 0, 0)
        answers["testGroups"][0]["tests"][0]["s"] = "01"
        write(place, "expectedResults.json", answers)
        assert counts(path, code=1) == (0, 1, 0)


def case_other_algorithms_are_skipped_by_name():
    with tempfile.TemporaryDirectory() as place:
        group = {"type": "AeadTest", "tests": [{"tcId": 1, "result": "valid"}]}
        path = write(place, "a.json", {"algorithm": "AES-EAX", "testGroups": [group]})
        assert "AES-EAX, AeadTest: not served" in vectors(path).stdout
        tests = [{"tcId": 1, "d": "00"}]
        path = write(place, "b.json", {"vsId": 1, "algorithm": "LMS", "mode": "keyGen",
                                       "testGroups": [{"testType": "AFT", "tests": tests,
                                                       "tgId": 1}]})
        for field in ("ek",):
            tests[0][field] = "00"
        write(place, "b.json", {"vsId": 1, "algorithm": "LMS", "mode": "keyGen",
                                "testGroups": [{"testType": "AFT", "tests": tests, "tgId": 1}]})
        assert "LMS keyGen: not served" in vectors(path).stdout


def case_damaged_and_foreign_files_are_input_errors():
    good = acvp("ML-KEM-keyGen-FIPS203", "prompt")
    known = acvp("ML-KEM-keyGen-FIPS203", "expectedResults")

    def with_test(**change):
        whole = json.loads(json.dumps(good))
        for test, answer in zip(whole["testGroups"][0]["tests"],
                                known["testGroups"][0]["tests"]):
            test.update(answer)
        whole["testGroups"][0]["tests"][3].update(change)
        return whole

    rows = [
        ("", ":1:"), ("{", ":1:1:"), ("{}", "algorithm"), ("[]", "algorithm"), ("null", ":1:"),
        ('{"a": 1, "a": 2}', ":1:"), ('{"algorithm": 1, "testGroups": []}', "algorithm"),
        ('{"algorithm": "AES-GCM", "testGroups": {}}', "testGroups"),
        ('{"algorithm": "AES-GCM", "testGroups": [1]}', "testGroups[0].tests"),
        ('{"algorithm": "AES-GCM", "testGroups": [{"tests": [1]}]}', "testGroups[0].tests[0]"),
        ('{"algorithm": "AES-GCM", "testGroups": [{"tests": [{}]}]}', "tests[0].type"),
        ("[" * 100000, ":1:"),
        (json.dumps(with_test(d="0g")), "testGroups[0].tests[3].d"),
        (json.dumps(with_test(d="000")), "testGroups[0].tests[3].d"),
        (json.dumps(with_test(d=7)), "testGroups[0].tests[3].d"),
        (json.dumps(with_test(ek=None)), "testGroups[0].tests[3].ek"),
        (json.dumps(good)[:-100], ":1:"),
        (json.dumps({"algorithm": "x", "testGroups": [{}] * 10001}), "10000 groups"),
    ]
    with tempfile.TemporaryDirectory() as place:
        for text, where in rows:
            path = write(place, "bad.json", text)
            done = vectors(path, code=2)
            assert where in done.stderr and "bad.json" in done.stderr, (text[:80], done.stderr)
            assert "passed" not in done.stdout, done.stdout
        large = Path(place) / "large.json"
        with large.open("wb") as file:
            file.truncate((64 << 20) + 1)
        assert "large.json" in vectors(large, code=2).stderr
        assert "missing.json" in vectors(Path(place) / "missing.json", code=2).stderr
        assert "usage" in vectors(code=2).stderr


if __name__ == "__main__":
    sys.exit(tap.run())
