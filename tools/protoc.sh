#!/usr/bin/env bash
# Makes the Go code of .proto files of the working directory, with the plugins
# that its module's go.mod names. Another protoc than the pinned one writes
# another version into the code, and `make check-generated` fails.
set -euo pipefail

pinned=3.21.12

if ! command -v protoc >/dev/null; then
  if ! command -v apt-get >/dev/null; then
    echo "Missing: protoc. Install the compiler of protocol buffers." >&2
    exit 1
  fi
  as_root=()
  if ((EUID != 0)); then
    echo "Missing: protoc. Installing packages with apt-get needs root: sudo asks for it." >&2
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -qq -y --no-install-recommends protobuf-compiler
fi

found=$(protoc --version)
if [[ ${found#libprotoc } != "$pinned" ]]; then
  echo "The committed code is made with protoc $pinned; this is ${found#libprotoc }, whose code may differ." >&2
fi

plugins=()
for plugin in protoc-gen-go protoc-gen-go-grpc; do
  go tool "$plugin" --version >/dev/null # which builds it
  plugins+=("--plugin=$plugin=$(go tool -n "$plugin")")
done
protoc "${plugins[@]}" --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative "$@"
