#!/usr/bin/env bash
# Formats the C sources, or with --check fails where they are not formatted. Another release of
# clang-format breaks lines in other places, so it is installed beside the compiler of clang.sh.
set -euo pipefail
cd "$(dirname "$0")/.."

major=19

if ! command -v "clang-format-$major" >/dev/null; then
  if ! command -v apt-get >/dev/null; then
    echo "Missing: clang-format-$major. Install clang-format $major." >&2
    exit 1
  fi
  as_root=()
  if ((EUID != 0)); then
    echo "Missing: clang-format-$major. Installing packages with apt-get needs root: sudo asks for it." >&2
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -qq -y --no-install-recommends "clang-format-$major"
fi

case ${1:-} in
  "") arguments=(-i) ;;
  --check) arguments=(--dry-run -Werror) ;;
  *)
    echo "usage: tools/clang-format.sh [--check]" >&2
    exit 2
    ;;
esac

git ls-files -z --cached --others --exclude-standard -- 'bpf/*.c' 'bpf/*.h' 'internal/*.c' |
  xargs -0 "clang-format-$major" "${arguments[@]}"
