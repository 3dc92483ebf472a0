# shellcheck shell=sh
# SPDX-License-Identifier: MIT OR Apache-2.0
# Messages and small helpers of scripts/setup.

# shellcheck disable=SC2034
missing_exit=0

say() {
    printf 'setup: %s\n' "$*" >&2
}

die() {
    printf 'setup: error: %s\n' "$*" >&2
    exit 3
}

note_missing() {
    printf 'missing: %s\n' "$*"
    missing_exit=3
}

# Runs a command as root, through sudo where we are not root.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        say "needs root: $*"
        sudo "$@"
    else
        die "this step needs root and there is no sudo: $*"
    fi
}

# Runs a quiet long command; shows the end of its output if it fails.
quietly() {
    log=$1
    shift
    if ! "$@" >"$log" 2>&1; then
        tail -n 30 "$log" >&2
        die "failed: $* (whole output: $log)"
    fi
}

# version_at_least HAVE WANT
version_at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}
