# shellcheck shell=bash
# command.sh: read by the tests that run the command $tenrec and look at its exit status and output, in the
# folder in which they stand. They end with `exit $((failures > 0))`.
failures=0

complain() {
    echo "FAILED: $*"
    echo "  stdout: $(head -c 600 out)"
    echo "  stderr: $(head -c 600 err)"
    failures=$((failures + 1))
}

# expect STATUS ARGUMENTS...: runs the command, keeps its output in `out` and `err`.
expect() {
    local status=$1 got
    shift
    "$tenrec" "$@" >out 2>err
    got=$?
    [ "$got" = "$status" ] || complain "tenrec $*: exit $got, not $status"
    if [ "$status" = 0 ]; then
        [ -s err ] && complain "tenrec $*: success with something on stderr"
    elif [ "$(wc -l <err)" != 1 ]; then
        complain "tenrec $*: not one line on stderr"
    fi
}

says() { # says TEXT: the line on stderr is "error: TEXT"
    [ "$(cat err)" = "error: $1" ] || complain "the message is not: error: $1"
}

shows() { # shows PATTERN: stdout matches it
    grep -Eq -- "$1" out || complain "stdout does not match $1"
}
