#!/bin/sh
# Makes the certificates of the TLS tests anew, valid from 2020 to 2120. The authorities' keys are thrown away.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/ca.cnf" <<'END'
[ca]
default_ca = tests
[tests]
database = $ENV::WORK/index
new_certs_dir = $ENV::WORK
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
authorityKeyIdentifier = keyid
subjectAltName = $ENV::NAMES
END
export WORK="$work" NAMES=DNS:unused
: > "$work/index"

issue() { # name, section, further arguments
    name=$1 section=$2
    shift 2
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$name.key" 2>/dev/null
    openssl req -new -key "$name.key" -subj "/CN=Synthetic $name" -out "$work/$name.csr"
    openssl ca -batch -notext -config "$work/ca.cnf" -extensions "$section" -in "$work/$name.csr" -out "$name.pem" \
        -startdate 20200101000000Z -enddate 21200101000000Z "$@" 2>/dev/null
}

issue authority authority -selfsign -keyfile authority.key
issue stranger authority -selfsign -keyfile stranger.key
by="-cert authority.pem -keyfile authority.key"
NAMES=DNS:localhost,IP:127.0.0.1 issue server leaf $by
NAMES=DNS:pacs.invalid issue elsewhere leaf $by
NAMES=DNS:cxr-node.invalid issue client leaf $by
rm authority.key stranger.key
