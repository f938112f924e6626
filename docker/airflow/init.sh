#!/usr/bin/env bash
# Prepares the database, the pools and the passwords of those who sign in. Runs before every start; running again changes nothing.
set -euo pipefail

airflow db migrate
airflow pools import "$(dirname "$0")/pools.json"

python - <<'PYTHON'
import json, os
from pathlib import Path

passwords = {
    os.environ["AIRFLOW_ADMIN_USER"]: os.environ["AIRFLOW_ADMIN_PASSWORD"],
    "image-search": os.environ["AIRFLOW_IMAGES_PASSWORD"],
}
target = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
partial = target.with_suffix(".part")
partial.touch(mode=0o600)
partial.write_text(json.dumps(passwords))
partial.replace(target)
PYTHON
