# Parts of .ci/run and .ci/nightly. Sourced at the top of the repository.

budget=$((48 * 60)) # seconds for the whole run, which has to end within 50 minutes; what may be cut short looks at it
failed=()
export MBUILD_TEST_NO_SKIP=1 # a unit test that lacks something fails here: see tests/needs.h

part() { # part NAME COMMAND...: runs it, remembers that it failed, and goes on
  local begin=$SECONDS
  printf '\n======== %s\n' "$1"
  "${@:2}" || failed+=("$1")
  printf '======== %s: %d s\n' "$1" $((SECONDS - begin))
}

finish() {
  if [ ${#failed[@]} -gt 0 ]; then
    printf '\nci: failed after %d s:' "$SECONDS"
    printf ' %s;' "${failed[@]}"
    echo
    exit 1
  fi
  printf '\nci: all parts passed in %d s\n' "$SECONDS"
  exit 0
}

sources() { # C++ files that git knows or would take
  git ls-files --cached --others --exclude-standard -- '*.h' '*.cc'
}

check_format() {
  sources | xargs clang-format-19 --dry-run --Werror && echo "format: all files are as clang-format-19 writes them"
}

# tidy SECONDS: clang-tidy on changed .cc files first, then on others in order, as far as the time goes.
tidy() {
  local until=$((SECONDS + $1)) base changed rest file count=0 status=0
  [ -e build/debug/compile_commands.json ] || cmake --preset debug >/dev/null || return 1
  base=$(git rev-parse -q --verify HEAD~1 2>/dev/null || true)
  changed=$({ [ -z "$base" ] || git diff --name-only --diff-filter=AM "$base" -- '*.cc'; } | grep -v '^tests/' || true)
  rest=$(sources | grep '\.cc$' | grep -v '^tests/' | grep -vxF "${changed:-none}" || true)
  for file in $changed $rest; do
    [ "$SECONDS" -lt "$until" ] && [ "$SECONDS" -lt "$budget" ] || break
    clang-tidy-19 --quiet --extra-arg=-w -p build/debug "$file" 2>/dev/null || { echo "clang-tidy: $file"; status=1; }
    count=$((count + 1))
  done
  echo "clang-tidy: $count of $(sources | grep '\.cc$' | grep -vc '^tests/') files read"
  return $status
}

# fuzz SECONDS [TARGET...]: each fuzz target (all of them) for so long, or for its share of what is left of the budget.
# With $FUZZ_SEED each takes the same inputs every time: a change is judged by what it is, and not by luck.
fuzz() {
  local targets count each target status=0
  targets=$(printf '%s\n' "${@:2}")
  [ $((budget - SECONDS)) -gt 300 ] || { echo "fuzzing: no time is left"; return 0; } # to compile takes minutes
  [ -n "$targets" ] || targets=$(find tests/fuzz -name '*.cc' -printf '%f\n' | sed 's/\.cc$//' | sort)
  cmake --preset fuzz >/dev/null && cmake --build --preset fuzz --target $(sed 's/^/fuzz_/' <<<"$targets") || return 1
  count=$(wc -w <<<"$targets")
  each=$(((budget - SECONDS) * $(nproc) / count))
  [ "$each" -lt "$1" ] || each=$1
  [ "$each" -ge 5 ] || { echo "fuzzing: no time is left"; return 0; }
  mkdir -p build/fuzz/corpus
  for target in $targets; do
    mkdir -p "build/fuzz/corpus/$target"
  done
  xargs -P "$(nproc)" -I{} bash -c '
    seeds=tests/fuzz/seeds/{}
    [ -d "$seeds" ] || seeds=
    if build/fuzz/fuzz_{} ${FUZZ_SEED:+-seed=$FUZZ_SEED} -max_total_time='"$each"' -rss_limit_mb=4096 -timeout=20 -artifact_prefix=build/fuzz/{}- \
         build/fuzz/corpus/{} $seeds >build/fuzz/{}.log 2>&1; then
      echo "fuzz_{}: $(tail -n 1 build/fuzz/{}.log)"
    else
      tail -n 30 build/fuzz/{}.log
      exit 1
    fi' <<<"$targets" || status=1
  echo "fuzzing: $count targets, $each s each"
  return $status
}

# The end-to-end tests of native programs and compiler packs, which want a Debian base with packages.
native_programs() {
  scripts/make-bases --mbuild build/release/mbuild build/bases || echo "no Debian base: what wants one is skipped"
  tests/e2e/run --mbuild build/release/mbuild --bases build/bases --filter '^(accel|accel_packs|emulation_cost)/'
}

# The end-to-end tests and the conformance list as a user with subordinate ids that is made for it. The user can't see
# into the checkout where a directory above it is closed, so gets a copy of what the tests need.
as_ordinary_user() {
  local user=mbuild-ci home=/var/tmp/mbuild-ci-$$ suite
  [ "$(id -u)" = 0 ] || { echo "this run is an ordinary user's already"; return 0; }
  id "$user" >/dev/null 2>&1 || useradd --no-create-home --home-dir /nonexistent --shell /bin/bash "$user" || return 1
  local file other count taken
  for file in /etc/subuid /etc/subgid; do
    grep -qs "^$user:" "$file" && continue
    taken=100000
    while IFS=: read -r _ other count; do
      [ $((other + count)) -le "$taken" ] || taken=$((other + count))
    done < <(cat "$file" 2>/dev/null)
    echo "$user:$taken:65536" >>"$file"
  done
  install -d -o "$user" "$home" "$home/tmp" "$home/top" "$home/top/build"
  install -d -o "$user" -m 0700 "$home/run"  # without it skopeo says so, among what it is asked for
  git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$home/top"
  cp -r build/bases "$home/top/build/"
  install -D build/release/mbuild "$home/top/build/release/mbuild"
  suite=${MBUILD_CONFORMANCE:-../shared/conformance}
  [ ! -d "$suite" ] || cp -r "$suite" "$home/conformance"
  suite=${MBUILD_BAKE_SUITE:-../shared/bake}
  [ ! -d "$suite" ] || cp -r "$suite" "$home/bake"
  chown -R "$user" "$home"
  chmod -R u+rwX "$home"
  setpriv --reuid "$user" --regid "$user" --init-groups --reset-env \
    env HOME="$home" XDG_RUNTIME_DIR="$home/run" TMPDIR="$home/tmp" \
    MBUILD_CONFORMANCE="$home/conformance" MBUILD_BAKE_SUITE="$home/bake" \
    bash -c 'cd "$HOME/top" && scripts/test --no-unit --bases build/bases'
  local status=$?
  rm -rf "$home"
  return $status
}
