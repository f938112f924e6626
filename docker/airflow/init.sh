#!/usr/bin/env bash
# Prepares the database, the pools and the administrator's password. Runs before every start; running again changes nothing.
set -euo pipefail

airflow db migrate
airflow pools import "$(dirname "$0")/pools.json"

python - <<'PYTHON'
import json, os
from pathlib import Path

target = Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
partial = target.with_suffix(".part")
partial.touch(mode=0o600)
partial.write_text(json.dumps({os.environ["AIRFLOW_ADMIN_USER"]: os.environ["AIRFLOW_ADMIN_PASSWORD"]}))
partial.replace(target)
PYTHON
