#!/usr/bin/env bash
# A certificate for the node, signed by an authority whose key is thrown away. Made once; remove the two volumes for new ones.
set -euo pipefail
cd /usr/share/elasticsearch

if [ ! -f config/certificates/node.crt ]; then
    work=$(mktemp --directory)
    bin/elasticsearch-certutil ca --silent --pem --days 3650 --out "$work/ca.zip"
    unzip -q "$work/ca.zip" -d "$work"
    bin/elasticsearch-certutil cert --silent --pem --days 3650 --name node --dns elasticsearch,localhost --ip 127.0.0.1 \
        --ca-cert "$work/ca/ca.crt" --ca-key "$work/ca/ca.key" --out "$work/node.zip"
    unzip -q "$work/node.zip" -d "$work"
    chmod 600 "$work/node/node.key"
    cp --preserve=mode "$work/ca/ca.crt" "$work/node/node.key" config/certificates/
    cp "$work/node/node.crt" config/certificates/ # last: it says that all is there
    rm -r "$work"
fi
install --mode 644 config/certificates/ca.crt config/ca/ca.crt
