# Sourced by tools/run, tools/test and .ci/run. Builds quietly: one line when
# there is something to do, the compiler's words only if it fails.
#
# Expects: root, the repository's folder.

: "${root:?}"
pd_jobs=$(nproc 2>/dev/null || echo 2)

# pd_quietly WHAT COMMAND...: runs it; prints its output only if it fails.
pd_quietly() {
  local what=$1 log begin=$SECONDS
  shift
  log=$(mktemp)
  if ! "$@" </dev/null >"$log" 2>&1; then
    cat "$log"
    rm -f "$log"
    echo "$what: failed after $((SECONDS - begin)) s"
    return 1
  fi
  rm -f "$log"
}

# pd_configure PRESET: once; ninja configures again by itself when it must.
pd_configure() {
  [ ! -f "$root/build/$1/build.ninja" ] || return 0
  pd_quietly "configure $1" \
    cmake -S "$root" --preset "$1" -B "$root/build/$1"
}

# pd_build PRESET TARGET...: a word if it takes more than a moment, and how long
# it took.
pd_build() {
  local preset=$1 begin=$SECONDS status=0
  shift
  {
    sleep 1 >/dev/null 2>&1
    echo "building $* ($preset); the first time takes minutes ..."
  } &
  local announcer=$!
  if pd_configure "$preset"; then
    pd_quietly "build $preset" \
      ninja --quiet -C "$root/build/$preset" -j "$pd_jobs" "$@" || status=1
  else
    status=1
  fi
  if kill "$announcer" 2>/dev/null; then
    wait "$announcer" 2>/dev/null || true
    return $status # nothing was said, so nothing is to be said
  fi
  [ $status -ne 0 ] || echo "built $* ($preset) in $((SECONDS - begin)) s"
  return $status
}
