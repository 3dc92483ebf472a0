#!/bin/sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Makes the certificates and signatures of test_crypto_mbedtls.c in the current
# directory, with OpenSSL: for each signer NAME a NAME.der and NAME.sig, the DER
# ECDSA signature over header.bin.
set -eu

key() { # NAME CURVE
    openssl ecparam -genkey -name "$2" -noout -out "$1.key"
}

# NAME ISSUER DIGEST EXTENSIONS: signs NAME's key; its own issuer where they are the same.
certificate() {
    printf '%b\n' "$4" >"$1.ext"
    openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr"
    if [ "$1" = "$2" ]; then
        openssl x509 -req -in "$1.csr" -signkey "$1.key" "-$3" -days 3650 -extfile "$1.ext" \
            -out "$1.pem"
    else
        openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial "-$3" \
            -days 3650 -extfile "$1.ext" -out "$1.pem"
    fi
    openssl x509 -in "$1.pem" -outform DER -out "$1.der"
    openssl dgst -sha384 -sign "$1.key" -out "$1.sig" header.bin
}

CA='basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign'
CA0='basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign'
SIGNER='basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature'

openssl rand -out header.bin 512
for name in root other middle short below leaf under_middle under_below under_other no_sign is_ca \
    under_leaf ca_no_sign under_ca_no_sign sha256 critical server code; do
    key "$name" secp384r1
done
key p256 prime256v1
key p521 secp521r1

certificate root root sha384 "$CA"
certificate other other sha384 "$CA"
certificate middle root sha384 "$CA"
certificate short root sha384 "$CA0"
certificate below short sha384 "$CA"
certificate ca_no_sign root sha384 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,cRLSign'
certificate leaf root sha384 "$SIGNER"
certificate under_middle middle sha512 "$SIGNER"
certificate under_below below sha384 "$SIGNER"
certificate under_other other sha384 "$SIGNER"
certificate under_leaf leaf sha384 "$SIGNER"
certificate under_ca_no_sign ca_no_sign sha384 "$SIGNER"
certificate no_sign root sha384 'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,keyAgreement'
certificate is_ca root sha384 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,digitalSignature'
certificate sha256 root sha256 "$SIGNER"
certificate critical root sha384 "$SIGNER\n1.2.3.4.5=critical,ASN1:NULL"
certificate server root sha384 "$SIGNER\nextendedKeyUsage=serverAuth"
certificate code root sha384 "$SIGNER\nextendedKeyUsage=serverAuth,codeSigning"
certificate p256 root sha384 "$SIGNER"
certificate p521 root sha384 "$SIGNER"
# A root of the same name as the true one, with another key.
key false_root secp384r1
openssl req -new -x509 -key false_root.key -sha384 -subj /CN=root -days 3650 \
    -addext keyUsage=critical,keyCertSign -outform DER -out false_root.der
# A certificate of version 1 has no extensions.
key v1 secp384r1
openssl req -new -key v1.key -subj /CN=v1 -out v1.csr
openssl x509 -req -in v1.csr -CA root.pem -CAkey root.key -CAcreateserial -sha384 -days 3650 \
    -outform DER -out v1.der
openssl dgst -sha384 -sign v1.key -out v1.sig header.bin
openssl dgst -sha256 -binary -out header.sha256 header.bin
