#!/usr/bin/env bash
# The user that tasks sign in as, with the role of roles.yml. Runs before every start, so ES_PASSWORD may change.
set -euo pipefail

# By standard input: passwords stay out of the list of processes.
curl --fail --silent --show-error --retry 10 --retry-connrefused --config - <<CONFIG
url = "https://elasticsearch:9200/_security/user/embsearch"
cacert = "/usr/share/elasticsearch/config/ca/ca.crt"
request = "PUT"
user = "elastic:$ELASTIC_PASSWORD"
header = "Content-Type: application/json"
data = "{\"password\": \"$ES_PASSWORD\", \"roles\": [\"embsearch\"]}"
CONFIG
