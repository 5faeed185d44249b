#!/usr/bin/env bash
# Brings the PostgreSQL majors that tests are run with, server and client, into .cache/postgresql/<major>: tools/bootstrap/postgresql-majors.sh [--quiet]
# They are packages of other Debian releases, fetched with apt (their signatures are checked), unpacked and never installed; each program is told to
# use its release's own C library. Removing a folder brings it anew. What cannot be had is written to .cache/postgresql/<major>.missing, and is no
# failure: tests say `NOT PROVEN: PostgreSQL <major>: <why>`.
set -euo pipefail
cd "$(dirname "$0")/../.."

MAJORS=('13 bullseye' '15 bookworm' '17 trixie' '18 forky')
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
NOBODY=65534
CACHE="$PWD/.cache/postgresql"
# A clone that nobody can enter is no place for servers, which run as nobody.
ELSEWHERE=/var/cache/rahatback/postgresql

quiet=false
case "${1:-}" in
  '') ;;
  --quiet) quiet=true ;;
  *) echo "usage: $0 [--quiet]" >&2; exit 2 ;;
esac
say() { $quiet || echo "$@"; }
has() { command -v "$1" >/dev/null 2>&1; }

place() {
  mkdir -p "$CACHE"
  if [ "$(id -u)" = 0 ] && ! setpriv --reuid="$NOBODY" --regid="$NOBODY" --clear-groups test -x "$CACHE"; then
    mkdir -p "$ELSEWHERE"
    echo "$ELSEWHERE"
  else
    echo "$CACHE"
  fi
}

# Why this machine can bring none, or nothing.
hindrance() {
  if ! has apt-get || ! has dpkg-deb; then
    echo 'only packages of Debian are used, and there is no apt here'
  elif [ ! -r "$KEYRING" ]; then
    echo "the keys of Debian's archive are not at $KEYRING: apt-get install -y debian-archive-keyring"
  elif ! has patchelf && [ "$(id -u)" != 0 ]; then
    echo 'patchelf is missing; as root: apt-get install -y patchelf'
  fi
}

install_patchelf() {
  has patchelf && return
  export DEBIAN_FRONTEND=noninteractive
  apt-get install -y --no-install-recommends patchelf || { apt-get update && apt-get install -y --no-install-recommends patchelf; }
}

mirror() {
  local found
  found=$(grep -hoE 'https?://[^ ]+/debian/?( |$)' /etc/apt/sources.list /etc/apt/sources.list.d/*.sources /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1)
  echo "${found:-http://deb.debian.org/debian}"
}

# Downloads the packages of one release, with what they depend on, and unpacks them: fetch <folder> <release> <package>
fetch() {
  local work=$1 release=$2 package=$3 deb apt
  mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial" "$work/root"
  : >"$work/status"
  echo "deb [signed-by=$KEYRING] $(mirror) $release main" >"$work/sources.list"
  # Testing's index is valid for a week only; a mirror that is frozen for longer is no reason to refuse it, its signature is checked all the same.
  apt=(apt-get -q -y -o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State="$work/state" -o Dir::State::Status="$work/status"
    -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Check-Valid-Until=false -o Acquire::Retries=2)
  "${apt[@]}" update
  "${apt[@]}" install --no-install-recommends --download-only "$package"
  for deb in "$work"/cache/archives/*.deb; do dpkg-deb -x "$deb" "$work/root"; done
}

# The libraries that a program or module needs, by its own release's loader: libraries <loader> <path> <file…>
libraries() {
  local loader=$1 path=$2 file
  shift 2
  for file in "$@"; do "$loader" --library-path "$path" --list "$file" 2>/dev/null || true; done |
    awk '$2 == "=>" && $3 ~ /\.so/ && $1 !~ /\/ld-/ { print $3 }' | sort -u
}

# Keeps what a server and its clients need, and binds the programs to the libraries beside them: assemble <unpacked> <new> <final> <major>
assemble() {
  local root=$1 new=$2 final=$3 major=$4 loader folders path modules file
  mkdir -p "$new/lib" "$new/usr/lib/postgresql" "$new/usr/share/postgresql"
  cp -a "$root/usr/lib/postgresql/$major" "$new/usr/lib/postgresql/"
  cp -a "$root/usr/share/postgresql/$major" "$new/usr/share/postgresql/"
  # Compiling queries would need all of LLVM; the server goes on without when the module is not there.
  rm -rf "$new/usr/lib/postgresql/$major/lib/bitcode" "$new/usr/lib/postgresql/$major/lib/llvmjit"*
  mapfile -t folders < <(find "$root/lib" "$root/usr/lib" -maxdepth 1 -name "*-linux-gnu" 2>/dev/null)
  path=$(printf '%s:' "${folders[@]}")
  file=$(patchelf --print-interpreter "$new/usr/lib/postgresql/$major/bin/postgres")
  loader=$(basename "$file")
  cp -L "$(find "${folders[@]}" -maxdepth 1 -name "$loader" -print -quit)" "$new/lib/$loader"
  mapfile -t modules < <(find "$new/usr/lib/postgresql/$major" -type f \( -path '*/bin/*' -o -name '*.so' \))
  libraries "$new/lib/$loader" "$path" "${modules[@]}" | xargs -r cp -L -t "$new/lib"
  # Older C libraries look users up with a module of their own.
  find "${folders[@]}" -maxdepth 1 -name 'libnss_files.so.2' -exec cp -L -n -t "$new/lib" {} +
  for file in "$new/usr/lib/postgresql/$major/bin"/*; do
    patchelf --print-interpreter "$file" >/dev/null 2>&1 || continue
    patchelf --force-rpath --set-rpath "$final/lib" --set-interpreter "$final/lib/$loader" "$file"
  done
}

bring() {
  local major=$1 release=$2 final=$3 work=$4
  fetch "$work" "$release" "postgresql-$major"
  assemble "$work/root" "$work/new" "$final" "$major"
  chmod -R u+w,go-w,a+rX "$work/new"
  rm -rf "$final"
  mv "$work/new" "$final"
  "$final/usr/lib/postgresql/$major/bin/postgres" --version | tee "$final/version"
}

is_here() {
  local major=$1 final=$2
  [ -x "/usr/lib/postgresql/$major/bin/postgres" ] && [ -x "/usr/lib/postgresql/$major/bin/pg_dump" ] && return
  [ -s "$final/version" ] && "$final/usr/lib/postgresql/$major/bin/pg_dump" --version >/dev/null 2>&1
}

# One major; a failure ends only this one.
one() {
  local major=$1 release=$2 root=$3 work log status=0
  local final="$root/$major"
  work=$(mktemp -d "$root/.new-XXXXXX")
  log="$work/log"
  # A shell of its own, outside of any condition: there alone the first failing step ends it.
  set +e
  (set -e; bring "$major" "$release" "$final" "$work") >"$log" 2>&1
  status=$?
  set -e
  if [ "$status" = 0 ]; then
    say "PostgreSQL $major: $(cat "$final/version")"
    rm -f "$CACHE/$major.missing"
    [ "$root" = "$CACHE" ] || ln -sfn "$final" "$CACHE/$major"
  else
    rm -rf "$final"
    { printf 'Debian %s: ' "$release"; { grep -m 1 '^E:' "$log" || tail -n 1 "$log"; } } >"$CACHE/$major.missing"
    echo "PostgreSQL $major is not here: $(cat "$CACHE/$major.missing")" >&2
  fi
  rm -rf "$work"
}

root=$(place)
exec 8>"$CACHE/.lock"
flock 8
todo=()
for entry in "${MAJORS[@]}"; do
  is_here "${entry% *}" "$root/${entry% *}" || todo+=("$entry")
done
[ ${#todo[@]} -gt 0 ] || { say 'PostgreSQL: all majors are here'; exit 0; }
why=$(hindrance)
if [ -z "$why" ] && ! install_patchelf >/dev/null 2>&1; then why='patchelf could not be installed'; fi
for entry in "${todo[@]}"; do
  if [ -n "$why" ]; then
    echo "$why" >"$CACHE/${entry% *}.missing"
    echo "PostgreSQL ${entry% *} is not here: $why" >&2
  else
    one "${entry% *}" "${entry#* }" "$root"
  fi
done
